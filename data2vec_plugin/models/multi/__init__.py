"""data2vec 2.0 for fairseq: its configuration, the registered model, and what is made of one for the other."""
