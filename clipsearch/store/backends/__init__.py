"""Connect to SQLite files and PostgreSQL servers."""
