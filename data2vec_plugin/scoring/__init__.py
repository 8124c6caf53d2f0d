"""Registered fairseq scorers."""

import fairseq  # noqa: F401  first, because this plugin registers its models and tasks when fairseq is imported
