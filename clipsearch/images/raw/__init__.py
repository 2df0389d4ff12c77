"""Read camera raw files: their largest preview, else a development.

`kinds` detects them by content, `libraw` is the only module that imports rawpy, `exif` reads the metadata of their
containers, and `picture` puts together what `images.decode` decodes.
"""
