"""The one place that opens what people hand us: manifests, tables, dictionaries, text, audio, pictures, folders."""
