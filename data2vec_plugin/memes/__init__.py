"""Evaluation of a trained meme classifier on a split: metrics, comparison with single parts, worst mistakes."""

import fairseq  # noqa: F401  first, because this plugin registers its models and tasks when fairseq is imported
