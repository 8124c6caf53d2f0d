"""Subcommands for speech recognition: transcribe, align, export, language models."""
