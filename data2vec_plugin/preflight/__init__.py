"""Checks of data, checkpoints and resources before a training or a decoding starts."""
