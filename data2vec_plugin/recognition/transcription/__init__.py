"""Transcription of many recordings, and the files it writes."""
