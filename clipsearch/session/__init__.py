"""Hold an open catalog: store, model and vector indexes in step."""
