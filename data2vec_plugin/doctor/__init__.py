"""Finds what is installed, patched or missing; uses mostly the standard library, so that it runs whatever is broken."""
