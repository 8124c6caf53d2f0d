"""Corpora made ready for training: audio listed and labelled, sentences encoded, subwords learned."""
