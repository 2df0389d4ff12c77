"""Suffixes of picture files, and folders that hold copies of pictures rather than pictures."""

# What `images.decode` reads.
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
    }
)

# Pictures and films, but of kinds `images.decode` can't read: counted, so that the user can be told.
UNSUPPORTED_SUFFIXES = frozenset(
    {
        # camera raw
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
        *(".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
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

# Folders of copies, thumbnails and other people's icons, in lower case, each with what makes it.
JUNK_FOLDERS = {
    "@eadir": "thumbnails and indexes of Synology",
    "@tmp": "temporary files of Synology",
    "#recycle": "recycle bin of Synology",
    "#snapshot": "snapshots of Synology: every picture once more for every snapshot",
    "@recycle": "recycle bin of QNAP",
    "@recently-snapshot": "snapshots of QNAP",
    "@__thumb": "thumbnails of QNAP",
    "$recycle.bin": "recycle bin of Windows",
    "recycler": "recycle bin of Windows XP",
    "system volume information": "restore points of Windows",
    "lost+found": "what a file system check found",
    "__macosx": "resource forks from a zip file made on a Mac, with the names of the pictures",
    "node_modules": "JavaScript packages and their icons",
    "site-packages": "Python packages and their icons",
}

# The same for names that end so.
JUNK_FOLDER_ENDINGS = {
    ".lrdata": "previews of a Lightroom catalogue",
    ".photoslibrary/resources": "thumbnails and renderings of Apple Photos; its originals lie beside it",
}
