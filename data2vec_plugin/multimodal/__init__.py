"""Fusion of several modalities, apart from any host: MTAG's graphs and its relation-aware attention.

It imports torch and NumPy only, as the core does, beside which it stands: what is in here is no embedding of one
modality for the core's Transformer, but a method of its own.
"""
