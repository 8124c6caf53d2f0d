"""What a run says of itself: a plan before its first update, and the likely knob when it cannot go on."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
