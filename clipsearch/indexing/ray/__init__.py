"""Read and embed on the machines of a Ray cluster."""
