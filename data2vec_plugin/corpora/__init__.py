"""Prepares corpora for training: lists and labels audio, encodes sentences, learns subwords."""
