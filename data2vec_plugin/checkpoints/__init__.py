"""Checkpoints as files: what one is, and the encoder inside it."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
