"""Checkpoints of other code: rename tables, one for each layout."""
