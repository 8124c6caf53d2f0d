"""Inference with trained recognisers: recordings to words, times, and files for other programs."""

import fairseq  # noqa: F401  first, because this plugin registers its models and tasks when fairseq is imported
