"""Hugging Face's checkpoints: rename tables and configuration rules."""
