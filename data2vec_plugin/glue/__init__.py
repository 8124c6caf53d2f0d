"""GLUE: the official files, fairseq's binaries of them, the runs of every task and seed, and their table."""
