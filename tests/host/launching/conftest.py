"""Fixtures of this folder's tests."""

from fresh_python import run_python  # noqa: F401
