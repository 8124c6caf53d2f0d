"""What is installed, mended or missing; standard library first, so that it runs whatever is broken."""
