"""GLUE: the official files, their fairseq binaries, the runs of every task and seed, and the table of results."""
