"""Define the kinds of files by suffix, what reads each, and the junk folders that hold copies of pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Extra:
    """An optional dependency that reads a kind of file.

    Attributes:
        name: as in `pip install 'clipsearch[name]'`.
        module: top-level module that is importable once the extra is installed.
    """

    name: str
    module: str


Reader: TypeAlias = Extra | Literal["always", "never"]


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of files that show something.

    Attributes:
        noun: of one file; with an s of several.
        suffixes: in lower case, with their dot.
        reader: what reads it: an extra, or "always" or "never". A kind gets readable by this field alone.
    """

    noun: str
    suffixes: tuple[str, ...]
    reader: Reader


TEXT_KINDS = ("screenshot", "receipt", "document", "whiteboard")
"""What pictures with text are told to be, see `ocr.kinds`; whiteboards and blackboards are one kind."""

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

FILM_SUFFIXES = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".webm", ".wmv", ".asf", ".flv", ".f4v", ".ogv", ".vob"),
        *(".mpg", ".mpeg", ".mpe", ".m2v", ".m2ts", ".mts", ".3gp", ".3g2", ".dv", ".mxf", ".insv", ".lrv"),
    }
)

FILM_FORMATS = frozenset({"MP4", "Matroska", "AVI", "MPEG-TS", "MPEG-PS", "ASF", "FLV", "Ogg", "MXF", "DV"})
"""Names of the containers of films, see `images.films.container`; MP4 is QuickTime's too, Matroska that of WebM."""

DOCUMENT_SUFFIXES = frozenset({".pdf"})

# In the order of reports. The format of a file is detected when it is decoded, see `images.decode`.
KINDS = (
    FileKind(
        "picture",
        (
            *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".jps", ".insp"),
            *(".png", ".apng", ".pns"),
            *(".webp", ".gif"),
            *(".tif", ".tiff"),
            *(".bmp", ".dib"),
            *(".heic", ".heif", ".heics", ".heifs", ".hif"),
            *(".avif", ".avifs"),
            *(".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"),
            *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
            *(".tga", ".dds", ".qoi", ".pcx", ".sgi", ".xbm", ".xpm"),
            *(".ico", ".cur", ".icns"),
            *(".psd", ".psb", ".ora", ".kra"),
            *(".fits", ".fts"),
        ),
        "always",
    ),
    FileKind("camera raw file", tuple(sorted(RAW_SUFFIXES)), Extra("raw", "rawpy")),
    FileKind("JPEG XL picture", (".jxl",), Extra("jxl", "imagecodecs")),
    FileKind("SVG drawing", (".svg", ".svgz"), Extra("svg", "resvg_py")),
    FileKind("PDF document", tuple(sorted(DOCUMENT_SUFFIXES)), Extra("pdf", "pypdfium2")),
    FileKind("other document", (".djvu", ".cbz", ".cbr"), "never"),
    FileKind("film", tuple(sorted(FILM_SUFFIXES)), Extra("video", "av")),
    FileKind(
        "other picture",
        (
            *(".xcf", ".ai", ".eps", ".afphoto", ".wmf", ".emf"),
            *(".jxr", ".wdp", ".exr", ".hdr", ".bpg", ".flif", ".dcm"),
        ),
        "never",
    ),
)


def is_installed(extra: Extra) -> bool:
    """Return whether an extra is installed, without importing it."""
    return find_spec(extra.module) is not None


def is_read(kind: FileKind, *, is_installed: Callable[[Extra], bool] = is_installed) -> bool:
    """Return whether files of a kind are read here."""
    return kind.reader == "always" or (isinstance(kind.reader, Extra) and is_installed(kind.reader))


def suffixes_of(kinds: tuple[FileKind, ...]) -> frozenset[str]:
    return frozenset(suffix for kind in kinds for suffix in kind.suffixes)


IMAGE_SUFFIXES = suffixes_of(tuple(kind for kind in KINDS if is_read(kind)))
"""Suffixes of the files that are read here."""

UNSUPPORTED_SUFFIXES = suffixes_of(KINDS) - IMAGE_SUFFIXES
"""Suffixes of pictures, documents and films that are not: they are counted for the report of an index run."""


def count_kinds(by_suffix: Mapping[str, int]) -> dict[FileKind, int]:
    """Sum numbers of files by suffix, such as `IndexReport.unsupported`, to those by kind, in the order of `KINDS`.

    Unknown suffixes and kinds without a file are left out.
    """
    counts = {kind: sum(by_suffix.get(suffix, 0) for suffix in kind.suffixes) for kind in KINDS}
    return {kind: number for kind, number in counts.items() if number > 0}


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
