"""Images: folders and archives of them, transforms and masks."""
