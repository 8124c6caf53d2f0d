"""Text that people hand us: lines, tables, manifests, dictionaries, transcripts, JSON."""
