"""Recordings of any length as pieces that a recogniser can take."""
