"""Converts fairseq checkpoints to Hugging Face folders, and back."""

import fairseq  # noqa: F401  first, because this plugin registers its models and tasks when fairseq is imported
