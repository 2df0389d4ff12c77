"""Camera raw files made from a picture: TIFFs with the mosaic of a sensor, previews and EXIF, as cameras write them."""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

MAKE, MODEL, ORIENTATION, DATE, SUB_IFDS, EXIF, GPS = 271, 272, 274, 306, 330, 34665, 34853
BYTE, ASCII, SHORT, LONG, RATIONAL, SIGNED_RATIONAL = 1, 2, 3, 4, 5, 10
_FORMATS = {BYTE: "B", SHORT: "H", LONG: "L"}

TAKEN = "2024:05:06 07:08:09"

# Of a camera whose colours are those of sRGB. Source: IEC 61966-2-1, XYZ to linear sRGB.
_COLOUR_MATRIX = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)
_WHITE = 4095


@dataclass(frozen=True)
class Entry:
    """An entry of a directory: values, or directories that are written behind it."""

    tag: int
    kind: int
    values: Sequence[float] | str | bytes | list["Directory"]


@dataclass(frozen=True)
class Directory:
    entries: tuple[Entry, ...]
    pixels: bytes = b""
    """What StripOffsets (273) or JPEGInterchangeFormat (513) leads to."""


def raw_file(
    picture: Image.Image,
    *,
    make: str = "Canon",
    model: str = "EOS 5D",
    orientation: int = 1,
    preview: Image.Image | None = None,
    is_dng: bool = True,
    order: str = "<",
    date: str = TAKEN,
    bits: bytes | None = None,
) -> bytes:
    """A raw file of a picture, as stored: `orientation` says how to turn it.

    Args:
        preview: stored as JPEG in a directory of its own; None: there is none.
        is_dng: else the file is a TIFF/EP with the maker's name, such as a NEF.
        order: "<" or ">".
        bits: of the mosaic, instead of the picture's.
    """
    thumbnail = picture.convert("RGB").resize((160, 120))
    below = [_mosaic(picture, order, bits)]
    if preview is not None:
        below.append(_preview(preview))
    exif = Directory(
        (
            Entry(36867, ASCII, date),
            Entry(37521, ASCII, "25"),
        )
    )
    gps = Directory(
        (
            Entry(1, ASCII, "N"),
            Entry(2, RATIONAL, (50, 6, 0)),
            Entry(3, ASCII, "E"),
            Entry(4, RATIONAL, (8, 40, 0)),
        )
    )
    first = [
        Entry(254, LONG, (1,)),
        *_size(thumbnail),
        Entry(258, SHORT, (8, 8, 8)),
        Entry(259, SHORT, (1,)),
        Entry(262, SHORT, (2,)),
        Entry(MAKE, ASCII, make),
        Entry(MODEL, ASCII, model),
        Entry(273, LONG, (0,)),
        Entry(ORIENTATION, SHORT, (orientation,)),
        Entry(277, SHORT, (3,)),
        Entry(278, LONG, (thumbnail.height,)),
        Entry(279, LONG, (len(thumbnail.tobytes()),)),
        Entry(DATE, ASCII, "2025:01:01 00:00:00"),
        Entry(SUB_IFDS, LONG, below),
        Entry(EXIF, LONG, [exif]),
        Entry(GPS, LONG, [gps]),
    ]
    if is_dng:
        first += [
            Entry(50706, BYTE, (1, 4, 0, 0)),
            Entry(50708, ASCII, f"{make} {model}"),
            Entry(50721, SIGNED_RATIONAL, _COLOUR_MATRIX),
            Entry(50728, RATIONAL, (0.5, 1.0, 0.6)),
            Entry(50778, SHORT, (21,)),
        ]
    return write_tiff(Directory(tuple(first), thumbnail.tobytes()), order)


def scan(picture: Image.Image) -> bytes:
    """A plain TIFF whose first directory is a small copy, as scanners of Nikon write their NEF."""
    small = picture.convert("RGB").resize((160, 120))
    return write_tiff(_plain(small, (Entry(MAKE, ASCII, "Nikon"), Entry(SUB_IFDS, LONG, [_plain(picture)])), copy=1))


def write_tiff(first: Directory, order: str = "<") -> bytes:
    content = bytearray((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", 8))
    _write(content, first, order)
    return bytes(content)


def _plain(picture: Image.Image, entries: tuple[Entry, ...] = (), *, copy: int = 0) -> Directory:
    pixels = picture.convert("RGB").tobytes()
    return Directory(
        (
            Entry(254, LONG, (copy,)),
            *_size(picture),
            Entry(258, SHORT, (8, 8, 8)),
            Entry(259, SHORT, (1,)),
            Entry(262, SHORT, (2,)),
            Entry(273, LONG, (0,)),
            Entry(277, SHORT, (3,)),
            Entry(278, LONG, (picture.height,)),
            Entry(279, LONG, (len(pixels),)),
            *entries,
        ),
        pixels,
    )


def _mosaic(picture: Image.Image, order: str, bits: bytes | None) -> Directory:
    """The picture's light as a sensor with red, green, green and blue filters sees it, with its noise."""
    light = (np.asarray(picture.convert("RGB"), dtype=np.float64) / 255) ** 2.2
    # The white of the scene, in the sensor's own colours.
    light *= (0.5, 1.0, 0.6)
    colours = np.empty(light.shape[:2])
    for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        colours[row::2, column::2] = light[row::2, column::2, channel]
    noise = np.random.default_rng(1).normal(0, 0.0005, colours.shape)
    levels = np.clip((colours + noise) * _WHITE, 1, _WHITE).astype(order + "u2").tobytes()
    content = levels if bits is None else bits
    return Directory(
        (
            Entry(254, LONG, (0,)),
            *_size(picture),
            Entry(258, SHORT, (16,)),
            Entry(259, SHORT, (1,)),
            Entry(262, SHORT, (32803,)),
            Entry(273, LONG, (0,)),
            Entry(277, SHORT, (1,)),
            Entry(278, LONG, (picture.height,)),
            Entry(279, LONG, (len(content),)),
            Entry(33421, SHORT, (2, 2)),
            Entry(33422, BYTE, (0, 1, 1, 2)),
            Entry(50717, LONG, (_WHITE,)),
        ),
        content,
    )


def _preview(picture: Image.Image) -> Directory:
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=92)
    content = buffer.getvalue()
    return Directory(
        (
            Entry(254, LONG, (1,)),
            *_size(picture),
            Entry(258, SHORT, (8, 8, 8)),
            Entry(259, SHORT, (7,)),
            Entry(262, SHORT, (6,)),
            Entry(273, LONG, (0,)),
            Entry(277, SHORT, (3,)),
            Entry(278, LONG, (picture.height,)),
            Entry(279, LONG, (len(content),)),
        ),
        content,
    )


def _size(picture: Image.Image) -> tuple[Entry, Entry]:
    return Entry(256, LONG, (picture.width,)), Entry(257, LONG, (picture.height,))


def _write(content: bytearray, directory: Directory, order: str) -> int:
    """Append a directory and what it leads to, and return its place."""
    place = len(content)
    entries = sorted(directory.entries, key=lambda entry: entry.tag)
    content += struct.pack(order + "H", len(entries)) + bytes(12 * len(entries) + 4)
    for number, entry in enumerate(entries):
        count, values = _values(content, directory, entry, order)
        if len(values) > 4:
            content += bytes(len(content) % 2)
            values, start = struct.pack(order + "L", len(content)), values
            content += start
        header = struct.pack(order + "HHL", entry.tag, entry.kind, count)
        begin = place + 2 + 12 * number
        content[begin : begin + 12] = header + values.ljust(4, b"\0")
    return place


def _values(content: bytearray, directory: Directory, entry: Entry, order: str) -> tuple[int, bytes]:
    if entry.tag in (273, 513):
        start = len(content)
        content += directory.pixels
        return 1, struct.pack(order + "L", start)
    if isinstance(entry.values, list):
        places = [_write(content, below, order) for below in entry.values]
        return len(places), struct.pack(f"{order}{len(places)}L", *places)
    if isinstance(entry.values, str):
        return len(entry.values) + 1, entry.values.encode() + b"\0"
    if entry.kind in (RATIONAL, SIGNED_RATIONAL):
        kind = "L" if entry.kind == RATIONAL else "l"
        parts = [part for value in entry.values for part in (round(value * 10_000), 10_000)]
        return len(entry.values), struct.pack(f"{order}{len(parts)}{kind}", *parts)
    return len(entry.values), struct.pack(f"{order}{len(entry.values)}{_FORMATS[entry.kind]}", *entry.values)
