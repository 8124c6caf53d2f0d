"""Recordings and what was said in them: when each word and letter was, and which texts do not belong."""
