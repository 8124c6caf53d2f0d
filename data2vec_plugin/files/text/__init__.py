"""Users' text files: lines, tables, manifests, dictionaries, transcripts, JSON."""
