"""Logs of a run: a plan before its first update, and settings to change when it cannot continue."""

import fairseq  # noqa: F401  first, because the plugin's modules register on import
