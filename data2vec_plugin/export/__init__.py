"""Export of models as graphs that run without torch."""
