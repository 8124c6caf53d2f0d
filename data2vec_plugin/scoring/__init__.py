"""Registered fairseq scorers."""
