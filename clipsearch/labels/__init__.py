"""Store sets of labels and assign them to pictures."""
