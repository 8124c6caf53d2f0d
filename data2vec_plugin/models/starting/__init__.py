"""What a model begins with: another one's checkpoint."""
