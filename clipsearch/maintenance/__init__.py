"""The care of a catalog: garbage, backups, checks and repairs."""
