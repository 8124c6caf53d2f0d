"""Checkpoints on their way from the file into fairseq: read, adapted, explained."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
