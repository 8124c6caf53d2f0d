"""Benchmarks, separate from the tests, each of ratios within one run: ``python -m benchmarks [NAME]``."""
