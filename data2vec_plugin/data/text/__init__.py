"""Text: subwords, binaries, blocks of tokens and their masks."""
