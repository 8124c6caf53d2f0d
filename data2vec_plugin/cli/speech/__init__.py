"""Subcommands on the way from recordings to text."""
