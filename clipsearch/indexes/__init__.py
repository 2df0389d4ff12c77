"""Nearest neighbours: where the embeddings lie. Derived from the store and rebuilt from it at any time."""
