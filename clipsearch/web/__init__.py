"""Serve the catalog as web pages and an HTTP API; requires the extra `web`."""
