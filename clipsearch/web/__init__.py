"""The same catalog in a browser and over HTTP; needs the extra `web`."""
