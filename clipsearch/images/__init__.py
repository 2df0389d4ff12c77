"""Find, read, decode and compare picture files."""
