"""Trained recognisers at work: recordings in; words, times and files for other programs out."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
