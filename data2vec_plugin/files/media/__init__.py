"""Users' audio, images and archives."""
