"""Splits recordings of any length into pieces for a recogniser."""
