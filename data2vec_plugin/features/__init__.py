"""Frozen features of files: lists -> items -> batches -> a trained encoder -> .npy or .safetensors."""

import fairseq  # noqa: F401  first, because this plugin registers its models and tasks when fairseq is imported
