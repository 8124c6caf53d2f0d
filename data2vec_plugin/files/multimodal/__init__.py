"""Sequences of several modalities on a disk."""
