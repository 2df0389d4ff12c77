"""Detect camera raw files by their content, and name their kind."""

from collections.abc import Sequence
from typing import BinaryIO

from PIL.ExifTags import Base

from clipsearch.images.raw.directories import Directory, read_directories

# Start of the file, from an offset. Source: LibRaw 0.22, `src/metadata/identify.cpp`.
_SIGNATURES = (
    (0, b"FUJIFILMCCD-RAW ", "RAF"),
    (0, b"FOVb", "X3F"),
    (4, b"ftypcrx ", "CR3"),
    (0, b"IIRO", "ORF"),
    (0, b"IIRS", "ORF"),
    (0, b"MMOR", "ORF"),
    (0, b"\0MRM", "MRW"),
    (6, b"HEAPCCDR", "CRW"),
)
_PANASONIC = b"IIU\0"
_TIFF = (b"II*\0", b"MM\0*")

# What a TIFF begins with after its first 8 bytes. Source: LibRaw 0.22, `identify.cpp` and `parse_phase_one`.
_CANON = b"CR\2"
_PHASE_ONE = (b"waR", b"Raw")

# Source: Adobe DNG 1.7.1 and TIFF/EP (ISO 12234-2): PhotometricInterpretation of a colour filter array and of linear
# raw data, and the tags that describe such an array.
_RAW_PHOTOMETRIC = (32803, 34892)
_FILTER_ARRAY_TAGS = (33421, 33422)
_DNG_VERSION, _DNG_PRIVATE_DATA = 50706, 50740
# Source: LibRaw 0.22, `src/metadata/tiff.cpp`: Leaf's own block of metadata.
_LEAF_DATA = 34310
# Source: LibRaw 0.22, `apply_tiff` in `identify.cpp`: Sony, Nikon, Samsung, Kodak and Pentax.
_RAW_COMPRESSION = (32767, 34713, 32770, 65000, 65535)

_OF_MAKER = {
    "nikon": "NEF",
    "canon": "CR2",
    "sony": "ARW",
    "pentax": "PEF",
    "ricoh": "PEF",
    "samsung": "SRW",
    "hasselblad": "3FR",
    "imacon": "FFF",
    "kodak": "DCR",
    "eastman": "DCR",
    "seiko": "ERF",
    "epson": "ERF",
    "mamiya": "MEF",
    "leaf": "MOS",
    "phase": "IIQ",
    "leica": "RWL",
    "panasonic": "RW2",
}
# Compact cameras of a maker have their own suffix: (name, start of the model) → name.
_OF_MODEL = (("NEF", "coolpix", "NRW"), ("ARW", "dsc-f828", "SRF"), ("ARW", "dsc-v3", "SRF"), ("ARW", "dsc-r1", "SR2"))


def find_kind(file: BinaryIO) -> str | None:
    """Return the kind of a camera raw file; its position changes.

    Returns:
        The usual suffix in upper case, "CR2"; "RAW" for a maker that is not known; None for every other file.

    A TIFF is one when a directory describes raw data, whatever its name and maker: cameras also write plain TIFFs.
    """
    file.seek(0)
    start = file.read(32)
    for offset, signature, name in _SIGNATURES:
        if start.startswith(signature, offset):
            return name
    if start.startswith(_PANASONIC):
        return _name(read_directories(file), default="RW2")
    if not start.startswith(_TIFF):
        return None
    if start.startswith(_CANON, 8):
        return "CR2"
    if start[8:12] in (b"IIII", b"MMMM") and (start[13:16], start[12:15])[start[8:9] == b"M"] in _PHASE_ONE:
        return "IIQ"
    return _kind_of_tiff(read_directories(file))


def _kind_of_tiff(directories: Sequence[Directory]) -> str | None:
    if not directories:
        return None
    first = directories[0]
    maker = first.text(Base.Make)
    if _DNG_VERSION in first.tags:
        return "GPR" if maker.casefold() == "gopro" else "DNG"
    if any(_is_raw(each) for each in directories) or (
        _DNG_PRIVATE_DATA in first.tags and maker.casefold().startswith("sony")
    ):
        return _name(directories)
    # A copy of a picture that is not in the file as a picture.
    if maker and first.is_copy and not any(each.has_colours and not each.is_copy for each in directories):
        return _name(directories)
    return None


def _is_raw(directory: Directory) -> bool:
    tags = directory.tags
    return (
        directory.first(Base.PhotometricInterpretation) in _RAW_PHOTOMETRIC
        or directory.first(Base.Compression) in _RAW_COMPRESSION
        or any(tag in tags for tag in (*_FILTER_ARRAY_TAGS, _LEAF_DATA))
    )


def _name(directories: Sequence[Directory], *, default: str = "RAW") -> str:
    if not directories:
        return default
    maker, model = (directories[0].text(tag).casefold() for tag in (Base.Make, Base.Model))
    name = next((name for start, name in _OF_MAKER.items() if maker.startswith(start)), default)
    return next((own for of, start, own in _OF_MODEL if of == name and model.startswith(start)), name)
