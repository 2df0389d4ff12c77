"""Define the suffixes of picture files, and the junk folders that hold copies of pictures."""

from importlib.util import find_spec

RAW_SUFFIXES = frozenset(
    {
        *(
            ".3fr",
            ".arw",
            ".cr2",
            ".cr3",
            ".crw",
            ".dcr",
            ".dng",
            ".erf",
            ".fff",
            ".gpr",
            ".iiq",
            ".kdc",
            ".mef",
            ".mos",
        ),
        *(".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
    }
)
"""Suffixes of camera raw files; not ".raw", which disk images and bare pixels have too."""

RAW_KINDS = frozenset({"RAW", *(suffix[1:].upper() for suffix in RAW_SUFFIXES)})
"""Names of the kinds of camera raw files, see `images.raw.kinds`; "RAW" is that of an unknown maker."""

READS_RAW = find_spec("rawpy") is not None
"""Whether the extra that reads camera raw files is installed; it is not imported for that."""

# Formats that `images.decode` can decode.
IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        *(".png", ".apng"),
        *(".webp", ".gif"),
        *(".tif", ".tiff"),
        *(".bmp", ".dib"),
        *(".heic", ".heif", ".heics", ".heifs", ".hif"),
        *(".avif", ".avifs"),
        *(".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"),
        *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
        *(RAW_SUFFIXES if READS_RAW else ()),
    }
)

# Pictures and films in formats that `images.decode` can't decode: counted for the report of an index run.
UNSUPPORTED_SUFFIXES = frozenset(
    {
        ".raw",
        *(() if READS_RAW else RAW_SUFFIXES),
        # editors, vector graphics, icons, the rest
        *(".psd", ".psb", ".xcf", ".kra", ".ai", ".eps", ".svg", ".svgz", ".wmf", ".emf", ".ico", ".icns", ".cur"),
        *(
            ".jxl",
            ".jxr",
            ".wdp",
            ".exr",
            ".hdr",
            ".tga",
            ".dds",
            ".qoi",
            ".pcx",
            ".sgi",
            ".xbm",
            ".xpm",
            ".bpg",
            ".flif",
        ),
        *(".jps", ".pns", ".fits", ".fts", ".dcm", ".djvu", ".insp", ".ora", ".afphoto"),
        # documents that may be scans, and films
        *(".pdf", ".cbz", ".cbr"),
        *(".mp4", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".webm", ".wmv", ".asf", ".flv", ".f4v", ".ogv", ".vob"),
        *(".mpg", ".mpeg", ".mpe", ".m2v", ".m2ts", ".mts", ".3gp", ".3g2", ".dv", ".mxf", ".insv", ".lrv"),
    }
)

# Folders of copies, thumbnails and icons of packages, in lower case, each with the program that makes it.
JUNK_FOLDERS = {
    "@eadir": "thumbnails and indexes of Synology",
    "@tmp": "temporary files of Synology",
    "#recycle": "recycle bin of Synology",
    "#snapshot": "snapshots of Synology: each holds another copy of every picture",
    "@recycle": "recycle bin of QNAP",
    "@recently-snapshot": "snapshots of QNAP",
    "@__thumb": "thumbnails of QNAP",
    "$recycle.bin": "recycle bin of Windows",
    "recycler": "recycle bin of Windows XP",
    "system volume information": "restore points of Windows",
    "lost+found": "files recovered by a file system check",
    "__macosx": "resource forks from a zip file made on a Mac, with the names of the pictures",
    "node_modules": "JavaScript packages and their icons",
    "site-packages": "Python packages and their icons",
}

# Junk folders by the ending of their path.
JUNK_FOLDER_ENDINGS = {
    ".lrdata": "previews of a Lightroom catalogue",
    ".photoslibrary/resources": "thumbnails and renderings of Apple Photos; the originals are in an adjacent folder",
}
