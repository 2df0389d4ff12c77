"""Read pictures behind URLs: single ones from the public internet, folders through fsspec."""
