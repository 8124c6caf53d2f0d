"""Checkpoints of fairseq's into folders of Hugging Face's, and back."""

from .. import compat  # noqa: F401
