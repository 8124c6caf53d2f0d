"""Logs, curves, tables and plots of runs and of results."""
