"""Find the film inside of a motion photo: a JPEG, HEIC or AVIF with a short film behind the picture."""

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from clipsearch.files import open_regular_file
from clipsearch.images.containers import iterate_boxes
from clipsearch.images.pillow_settings import decoding_settings
from clipsearch.images.xmp.packets import parse_packet, xmp_packet
from clipsearch.images.xmp.properties import read_properties

# Source: Android, "Motion Photo format 1.0", and the older MicroVideo of the same namespace.
_OFFSET = "camera:MicroVideoOffset"
_ITEM = "{http://ns.google.com/photos/1.0/container/}Item"
_OF_ITEM = "{http://ns.google.com/photos/1.0/container/item/}"
_SEMANTIC = "MotionPhoto"
_HEIC_BOX = b"mpvd"

# Samsung's trailer: fields, then a directory "SEFH" of them, its length, and "SEFT". Source: ExifTool 13,
# Samsung.pm, ProcessSamsung.
_DIRECTORY, _TRAILER_END = b"SEFH", b"SEFT"
_ENTRY = struct.Struct("<HHII")  # zero, kind, bytes from the field's start to the directory, size
_FIELD_HEAD = struct.Struct("<HHI")  # zero, kind, length of the name that follows
_MOTION_PHOTO_KIND = 0x0A30
_MAX_ENTRIES = 1_000
_MAX_NAME = 100

PHOTO_FORMATS = ("JPEG", "HEIF", "AVIF")
"""Formats of photographs that may have one."""

_MIN_FILM_BYTES = 16


def motion_photo(source: bytes | str | Path | BinaryIO) -> tuple[int, int] | None:
    """Return the offset and length in bytes of the film in a photograph, or None.

    Where the metadata points at no film, as after an edit, the photograph has none.

    Args:
        source: the content of a file, its path, or a file opened for reading bytes, whose position changes.

    Raises:
        OSError: the path can't be opened, or is not a regular file.
    """
    if isinstance(source, bytes):
        return _find(io.BytesIO(source))
    if isinstance(source, str | Path):
        with open_regular_file(source) as file:
            return _find(file)
    return _find(source)


def _find(file: BinaryIO) -> tuple[int, int] | None:
    size = file.seek(0, io.SEEK_END)
    for find in (_in_boxes, _in_xmp, _in_trailer):
        for start, length in find(file, size):
            if start > 0 and length >= _MIN_FILM_BYTES and start + length <= size and _starts_film(file, start):
                return start, length
    return None


def _starts_film(file: BinaryIO, start: int) -> bool:
    """Return whether a box "ftyp" starts there: edited photographs keep metadata of a film that they lost."""
    file.seek(start + 4)
    return file.read(4) == b"ftyp"


def _in_boxes(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    file.seek(4)
    if file.read(4) == b"ftyp":
        for kind, start, end in iterate_boxes(file, 0, size):
            if kind == _HEIC_BOX:
                yield start, end - start


def _in_xmp(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    packet = _read_packet(file)
    items = list(_items(packet))
    for number, (semantic, length, _) in enumerate(items):
        if semantic == _SEMANTIC:
            yield size - sum(length + padding for _, length, padding in items[number:]), length
    with suppress(ValueError):
        offset = int(read_properties(packet, (_OFFSET,)).get(_OFFSET, ""))
        yield size - offset, offset


def _items(packet: object) -> Iterator[tuple[str, int, int]]:
    """Yield (semantic, length, padding) of the items of a container, the photograph first."""
    root = parse_packet(packet)
    for item in () if root is None else root.iter(_ITEM):
        # As attributes or as elements.
        values = {**item.attrib, **{child.tag: child.text or "" for child in item}}
        semantic, length, padding = (values.get(f"{_OF_ITEM}{name}", "") for name in ("Semantic", "Length", "Padding"))
        yield semantic, _count(length), _count(padding)


def _count(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


def _read_packet(file: BinaryIO) -> object:
    file.seek(0)
    try:
        with decoding_settings(1.0):
            return xmp_packet(Image.open(file, formats=PHOTO_FORMATS[:1]))
    except Exception:  # readers raise anything  # noqa: BLE001
        return None


def _in_trailer(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    if size < 24:
        return
    file.seek(size - 8)
    end = file.read(8)
    length = int.from_bytes(end[:4], "little")
    directory = size - 8 - length
    if end[4:] != _TRAILER_END or not 12 <= length <= 12 + _MAX_ENTRIES * _ENTRY.size or directory < 0:
        return
    file.seek(directory)
    content = file.read(length)
    if content[:4] != _DIRECTORY:
        return
    count = min(int.from_bytes(content[8:12], "little"), (length - 12) // _ENTRY.size)
    for number in range(count):
        _, kind, before, field_size = _ENTRY.unpack_from(content, 12 + number * _ENTRY.size)
        start = directory - before
        if kind != _MOTION_PHOTO_KIND or start < 0 or field_size > before:
            continue
        file.seek(start)
        _, _, name_length = _FIELD_HEAD.unpack(file.read(_FIELD_HEAD.size))
        if name_length <= _MAX_NAME:
            head = _FIELD_HEAD.size + name_length
            yield start + head, field_size - head
