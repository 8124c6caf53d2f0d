"""Frozen features of files: lists -> items -> batches -> a trained encoder -> .npy or .safetensors."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
