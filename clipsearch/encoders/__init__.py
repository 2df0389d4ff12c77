"""Embed pictures and texts with dual encoders."""
