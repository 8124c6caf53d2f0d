"""Learning rates and weight decay for each parameter, under fairseq's own trainer and optimizers."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
