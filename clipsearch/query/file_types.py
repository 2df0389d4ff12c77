"""Name the formats and kinds of files that the filter `type:` takes."""

from clipsearch.formats import FILM_FORMATS, RAW_KINDS

TYPES = (
    *("jpeg", "png", "webp", "gif", "tiff", "bmp", "heif", "avif", "jpeg2000", "jxl", "ppm", "psd", "tga", "fits"),
    *("svg", "raw", "pdf", "animation", "film", "mp4", "matroska", "avi"),
)
"""Names that messages list."""

# Synonyms of the names of formats; a JPEG of several pictures (MPO) counts as JPEG, a film by its container.
OTHER_TYPES = {
    "jpg": "jpeg",
    "mpo": "jpeg",
    "tif": "tiff",
    "heic": "heif",
    "jp2": "jpeg2000",
    "pgm": "ppm",
    "pnm": "ppm",
    "pfm": "ppm",
    "psb": "psd",
    "fts": "fits",
    "svgz": "svg",
    **dict.fromkeys(("video", "videos", "movie", "movies", "films"), "film"),
    **dict.fromkeys(("document", "documents"), "pdf"),
    **dict.fromkeys(("animated", "animations"), "animation"),
    **dict.fromkeys(("mov", "qt", "m4v", "3gp", "3g2", "f4v"), "mp4"),
    **dict.fromkeys(("mkv", "webm"), "matroska"),
    **dict.fromkeys(("ts", "mts", "m2ts"), "mpeg-ts"),
    **dict.fromkeys(("mpg", "mpeg", "mpe", "m2v", "vob"), "mpeg-ps"),
    "wmv": "asf",
    "ogv": "ogg",
    **{name.lower(): name.lower() for name in FILM_FORMATS},
    **{name: name for name in ("dds", "qoi", "pcx", "sgi", "xbm", "xpm", "ico", "icns", "ora", "kra")},
    "cur": "ico",
    **{kind.lower(): kind.lower() for kind in RAW_KINDS},
}
