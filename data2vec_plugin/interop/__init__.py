"""Other people's checkpoints: rename tables, one for each layout."""
