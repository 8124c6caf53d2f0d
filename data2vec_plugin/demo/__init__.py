"""A page in the browser that transcribes a recording."""
