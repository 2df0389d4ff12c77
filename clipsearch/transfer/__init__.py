"""Export embeddings to files and import them."""
