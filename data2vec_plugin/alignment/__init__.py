"""Forced alignment of recordings with known texts: times of words and letters, and texts that do not match."""
