"""Fusion of several modalities, independent of any host: MTAG's graphs and its relation-aware attention.

Like the core, it imports only torch and NumPy. It is separate from the core because it is not an embedding of one
modality for the core's Transformer, but another method.
"""
