"""Keep a vector index in a collection of a Milvus server."""
