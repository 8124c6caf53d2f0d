"""Data sets and collaters that fairseq lacks."""

import fairseq  # noqa: F401  first, because the plugin's modules register on import
