"""Decoding of CTC models: greedy and beam search, on their own and within fairseq-generate."""

import fairseq  # noqa: F401  first, because this plugin registers its models and tasks when fairseq is imported
