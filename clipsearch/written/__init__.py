"""Search what is written about pictures: a full-text index in a file of its own, derived from SQL."""
