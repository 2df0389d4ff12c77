"""Teach concepts by example pictures."""
