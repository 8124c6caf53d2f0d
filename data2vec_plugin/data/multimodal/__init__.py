"""Unaligned sequences of several modalities."""
