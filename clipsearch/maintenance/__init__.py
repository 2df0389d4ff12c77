"""Maintain a catalog: garbage collection, backups, checks and repairs."""
