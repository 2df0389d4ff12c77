"""How the work of many files is spread."""
