"""Registered fairseq tasks."""

import fairseq  # noqa: F401  first, because the plugin's modules register on import
