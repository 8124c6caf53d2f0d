"""Data sets and collaters that fairseq lacks."""
