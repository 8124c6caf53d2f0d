"""Checkpoints on their way from the file into fairseq: read, adapted, explained."""

import fairseq  # noqa: F401  first, because the plugin's modules register on import
