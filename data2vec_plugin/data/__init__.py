"""Data sets and collaters that fairseq lacks."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
