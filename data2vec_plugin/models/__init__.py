"""Registered fairseq models and their dataclasses: configuration -> core and modality."""

import fairseq  # noqa: F401  first, because the plugin's modules register on import
