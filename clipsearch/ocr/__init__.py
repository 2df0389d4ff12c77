"""Read the text in pictures, with models that need no network."""
