"""Copy, check, repair and salvage databases."""
