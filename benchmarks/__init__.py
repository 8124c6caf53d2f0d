"""Ratios measured in one run, apart from the tests: ``python -m benchmarks [NAME]``."""
