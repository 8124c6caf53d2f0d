"""Upstream's checkpoints: rename tables and sizes."""
