"""What fairseq's trainer lacks: a learning rate and decay for each parameter, averaged weights that are evaluated."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
