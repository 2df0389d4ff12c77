"""Read what the container of a camera raw file holds next to the raw data: EXIF, XMP, and Canon's preview."""

import io
from contextlib import suppress
from typing import BinaryIO

from PIL import Image
from PIL.ExifTags import IFD, Base

from clipsearch.images.containers import find_box
from clipsearch.images.descriptions.exif import TEXT_TAGS
from clipsearch.images.xmp.packets import XMP_TAG

# The directories stand at the start of these files; the rest is not read for them.
_MAX_HEADER_BYTES = 1 << 20

_MAX_PACKET_BYTES = 4 << 20

# A preview of Canon has 300 KB to 2 MB.
_MAX_PREVIEW_BYTES = 64 << 20

# Source: github.com/lclevy/canon_cr3, "uuid boxes": a box of boxes after 16 bytes of identifier, and PRVW after 8 more.
_METADATA_PATH = ((b"moov", 0), (b"uuid", 16))
_PREVIEW_UUID = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16")
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_JPEG_START = b"\xff\xd8\xff"

_MAIN_TAGS = (
    *(Base.Make, Base.Model, Base.DateTime, Base.DateTimeOriginal, Base.DateTimeDigitized),
    *(Base.SubsecTime, Base.SubsecTimeOriginal, Base.SubsecTimeDigitized),
    *TEXT_TAGS,
)

# Kinds whose directories are those of a TIFF behind a signature of their own.
_LIKE_TIFF = ("ORF", "RW2", "RWL")


def read_exif(file: BinaryIO, kind: str) -> Image.Exif:
    """Read the EXIF of a raw file's container, as far as it can be read.

    Args:
        file: must stay open: values are read when they are used.
        kind: see `find_kind`.

    Returns:
        Empty for kinds that have theirs in the preview alone. XMP is its tag `XMP_TAG`.
    """
    exif = Image.Exif()
    with suppress(Exception):  # broken EXIF raises anything
        _read_into(exif, file, kind)
    return exif


def adopt_exif(image: Image.Image, exif: Image.Exif) -> None:
    """Give an opened image the metadata of the file that it is in; of EXIF what is only in its own stays."""
    with suppress(Exception):  # broken EXIF raises anything
        image.getexif()
    own = image.getexif()  # the same object, as far as it could be read
    for tag in _MAIN_TAGS:
        with suppress(Exception):
            own[tag] = exif[tag]
    for directory in (IFD.Exif, IFD.GPSInfo):
        with suppress(Exception):
            own.get_ifd(directory).update(exif.get_ifd(directory))
    with suppress(Exception):
        image.info["xmp"] = exif[XMP_TAG]


def _read_into(exif: Image.Exif, file: BinaryIO, kind: str) -> None:
    file.seek(0)
    if kind == "CR3":
        _read_canon_boxes(file, exif)
    elif kind == "MRW":
        content = file.read(_MAX_HEADER_BYTES)
        # Source: exiftool, `MinoltaRaw.pm`: the block TTW is a TIFF after its name and length.
        place = content.find(b"\0TTW")
        if place >= 0:
            exif.load(content[place + 8 :])
    elif kind in _LIKE_TIFF:
        content = file.read(_MAX_HEADER_BYTES)
        exif.load((b"II*\0" if content.startswith(b"II") else b"MM\0*") + content[4:])
    elif file.read(2) in (b"II", b"MM") and kind != "CRW":
        file.seek(0)
        exif.load_from_fp(file)


def _read_canon_boxes(file: BinaryIO, exif: Image.Exif) -> None:
    """Read the three TIFF blocks of a CR3: main directory, Exif and GPS."""
    size = file.seek(0, io.SEEK_END)
    blocks: list[bytes] = []
    for name in (b"CMT1", b"CMT2", b"CMT4"):
        found = find_box(file, (*_METADATA_PATH, (name, 0)), size)
        file.seek(0 if found is None else found[0])
        blocks.append(b"" if found is None else file.read(min(found[1] - found[0], _MAX_HEADER_BYTES)))
    main, *others = blocks
    exif.load(main)
    for directory, block in zip((IFD.Exif, IFD.GPSInfo), others, strict=True):
        part = Image.Exif()
        part.load(block)
        exif.get_ifd(directory).update(part)
    found = find_box(file, ((b"uuid", 16),), size, identifier=_XMP_UUID)
    if found is not None:
        file.seek(found[0])
        exif[XMP_TAG] = file.read(min(found[1] - found[0], _MAX_PACKET_BYTES))


def find_canon_preview(file: BinaryIO) -> bytes | None:
    """Return the JPEG of 1620 × 1080 pixels in a CR3, which LibRaw passes over for one of full size.

    It is there where that one is missing, as in a file that breaks off.
    """
    size = file.seek(0, io.SEEK_END)
    found = find_box(file, ((b"uuid", 24), (b"PRVW", 0)), size, identifier=_PREVIEW_UUID)
    if found is None or found[1] - found[0] > _MAX_PREVIEW_BYTES:
        return None
    file.seek(found[0])
    content = file.read(found[1] - found[0])
    start = content.find(_JPEG_START)
    return content[start:] if start >= 0 else None
