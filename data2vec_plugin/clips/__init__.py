"""From raw clips to data2vec's features of vision, text and audio, and by a trained `mtag` to predictions."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
