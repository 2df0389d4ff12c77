"""Vector indexes for nearest neighbour search, derived from the store and rebuilt from it at any time."""
