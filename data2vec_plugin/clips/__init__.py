"""From raw clips to data2vec features of vision, text and audio, and to predictions of a trained `mtag`."""

import fairseq  # noqa: F401  first, because this plugin registers its models and tasks when fairseq is imported
