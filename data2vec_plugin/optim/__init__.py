"""What fairseq's trainer lacks: rates and decay by parameter, averaged weights, other people's checkpoints."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
