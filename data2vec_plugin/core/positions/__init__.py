"""Positions shared by several modalities: attention biases on a line or a grid."""
