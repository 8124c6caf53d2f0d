"""data2vec 2.0 for fairseq: its configuration, the registered models, and how these are built from it."""
