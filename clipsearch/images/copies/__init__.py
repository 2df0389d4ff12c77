"""Decide by pixels whether two pictures are copies of each other."""
