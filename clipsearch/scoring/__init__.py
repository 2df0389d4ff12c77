"""Calculate relevance, label scores, confidence and diversity from embeddings."""
