"""Predictions of hidden tokens by a student that saw only visible ones."""
