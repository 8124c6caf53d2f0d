"""What a student that saw visible tokens only makes of the hidden ones."""
