"""Senses of order that are no single modality's: biases of attention on a grid or a line."""
