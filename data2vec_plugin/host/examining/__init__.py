"""Preflight checks of a run: before it starts, and on their own."""

import fairseq  # noqa: F401  first of all, because everything of this plugin registers when it is there
