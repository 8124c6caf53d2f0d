"""Masks, and how they are drawn: spans, blocks of a grid, words."""
