"""The only package that opens users' files: manifests, tables, dictionaries, text, audio, images, folders."""
