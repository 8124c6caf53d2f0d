"""Registered fairseq criterions."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
