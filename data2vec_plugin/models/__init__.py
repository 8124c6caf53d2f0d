"""Registered fairseq models and their dataclasses: configuration -> core and modality."""
