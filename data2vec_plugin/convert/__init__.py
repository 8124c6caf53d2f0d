"""Checkpoints of fairseq's into folders of Hugging Face's, and back."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
