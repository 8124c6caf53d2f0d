"""Commands that look at runs before they start."""
