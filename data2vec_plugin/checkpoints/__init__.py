"""Checkpoints as files: what one is, and the encoder inside it."""

import fairseq  # noqa: F401  first, because the plugin's modules register on import
