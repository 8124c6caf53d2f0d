"""fairseq's trainer where a run is ours, and the optimizer that it builds."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
