"""Many recordings through one recogniser, and what is written of them."""
