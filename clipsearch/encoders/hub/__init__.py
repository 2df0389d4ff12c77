"""Find and download models of the hub."""
