"""Read, store and embed captions, and rank them for a picture."""
