"""Services of the user that keep a catalog current: what runs, and the files of the systems that start it."""
