"""Logs, curves, tables and drawings of runs and of results."""
