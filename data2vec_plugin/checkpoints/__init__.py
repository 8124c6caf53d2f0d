"""Checkpoint files: their kind, and the encoder inside."""

import fairseq  # noqa: F401  first, because the plugin's modules register on import
