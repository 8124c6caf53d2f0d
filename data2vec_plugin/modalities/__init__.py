"""One module for each modality: raw input -> tokens, positions, mask kind."""
