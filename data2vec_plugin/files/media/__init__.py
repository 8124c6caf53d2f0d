"""Audio, pictures and archives that people hand us."""
