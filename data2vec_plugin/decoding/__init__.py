"""Decoding of CTC models: what fairseq-generate needs."""
