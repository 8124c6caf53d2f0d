"""Checkpoints as files: what one is, and the encoder inside it."""
