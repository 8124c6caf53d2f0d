"""What is hidden, and how it is drawn: spans, blocks of a grid, words."""
