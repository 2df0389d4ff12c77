"""Read the largest picture of an icon: ICO, CUR and ICNS.

The directory is read here, so that the size of that picture is known before it is decoded, and only that one is. Pillow
decodes icons as they are opened, and of several of one size it takes that with the fewest colours.
"""

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from clipsearch.errors import ImageReadError
from clipsearch.images.readers.base import bytes_left, not_supported
from clipsearch.images.reasons import DamagedHeaderError

# Icons are at most 1024 × 1024 (ICNS), or 256 × 256 (ICO); programs write larger PNG files into both.
_MAX_MEGAPIXELS = 4.2
_MAX_ENTRIES = 256

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_2000 = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")

_ENTRY = struct.Struct("<BBBBHHII")
_ENTRY_START = 6

# Sides in pixels of entries that hold a PNG or JPEG 2000, and of those that hold colours, each with the entry of its
# transparency. Source: https://en.wikipedia.org/wiki/Apple_Icon_Image_format
_MAC_SIDES = {
    b"ic10": 1024,
    **dict.fromkeys((b"ic09", b"ic14"), 512),
    **dict.fromkeys((b"ic08", b"ic13"), 256),
    b"ic07": 128,
    **dict.fromkeys((b"ic12", b"icp6"), 64),
    **dict.fromkeys((b"ic11", b"icp5"), 32),
    b"icp4": 16,
}
_MAC_COLOURS = {b"it32": (128, b"t8mk"), b"ih32": (48, b"h8mk"), b"il32": (32, b"l8mk"), b"is32": (16, b"s8mk")}


@dataclass(frozen=True, slots=True)
class _Frame:
    width: int
    height: int
    bits: int
    start: int
    size_bytes: int
    is_png: bool


def open_windows_icon(file: BinaryIO) -> Image.Image:
    """Open the largest picture of an ICO or CUR file, of several the one with the most colours, decoded."""
    header = file.read(_ENTRY_START)
    count = min(int.from_bytes(header[4:6], "little"), _MAX_ENTRIES)
    entries = file.read(count * _ENTRY.size)
    frames = [_look_at(file, *entry[-2:]) for entry in _ENTRY.iter_unpack(entries[: len(entries) // 16 * 16])]
    frame = max(filter(None, frames), key=lambda each: (each.width * each.height, each.bits), default=None)
    if frame is None:
        raise DamagedHeaderError("damaged: its header can't be read")
    _check_size("ICO", frame.width, frame.height)
    file.seek(frame.start)
    content = file.read(frame.size_bytes)
    return _named("ICO", _open_png(content) if frame.is_png else _open_bitmap(frame, content))


def open_mac_icon(file: BinaryIO) -> Image.Image:
    """Open the largest picture of an ICNS file, decoded."""
    blocks = _read_blocks(file)
    pictures = {kind: content for kind, content in blocks.items() if content.startswith((_PNG, *_JPEG_2000))}
    largest = max(pictures.keys() & _MAC_SIDES, key=_MAC_SIDES.__getitem__, default=None)
    if largest is not None:
        return _named("ICNS", _open_png(pictures[largest]))
    for kind, (_, mask) in _MAC_COLOURS.items():
        if kind in blocks:
            return _named("ICNS", _open_colours({each: blocks[each] for each in (kind, mask) if each in blocks}))
    raise not_supported("ICNS", ", ".join(kind.decode("latin-1") for kind in list(blocks)[:4]))


def _named(kind: str, image: Image.Image) -> Image.Image:
    image.load()
    image.format = kind
    return image


def _check_size(kind: str, width: int, height: int) -> None:
    if not 0 < width * height <= _MAX_MEGAPIXELS * 1e6:
        raise ImageReadError(f"not supported: {kind} with a picture of {width:,} × {height:,} pixels")


def _look_at(file: BinaryIO, size_bytes: int, start: int) -> _Frame | None:
    """Read the header of a picture in an ICO file; the sizes in the directory end at 256."""
    file.seek(start)
    available = min(size_bytes, bytes_left(file))
    header = file.read(26)
    if available < len(header) or len(header) < 26:
        return None
    if header.startswith(_PNG):
        width, height = struct.unpack_from(">II", header, 16)
        return _Frame(width, height, 32, start, available, is_png=True)
    # Source: BITMAPINFOHEADER; the height counts the colours and the mask.
    length, width, height, _, bits = struct.unpack_from("<IiiHH", header)
    if length < 40 or width <= 0 or abs(height) < 2:
        return None
    return _Frame(width, abs(height) // 2, bits, start, available, is_png=False)


def _open_bitmap(frame: _Frame, content: bytes) -> Image.Image:
    from PIL.IcoImagePlugin import IcoImageFile

    start = _ENTRY_START + _ENTRY.size
    entry = _ENTRY.pack(frame.width % 256, frame.height % 256, 0, 0, 1, frame.bits, len(content), start)
    image: Image.Image = IcoImageFile(io.BytesIO(struct.pack("<HHH", 0, 1, 1) + entry + content))
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (
        0,
        0,
    ):  # of before Windows XP, which ignored these bytes
        image.load()
        image = image.convert("RGB")
    return image


def _open_png(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG2000"))
    _check_size("icon", *image.size)
    return image


def _read_blocks(file: BinaryIO) -> dict[bytes, bytes]:
    """Read the entries of an ICNS file that may be pictures."""
    known = _MAC_SIDES.keys() | _MAC_COLOURS.keys() | {mask for _, mask in _MAC_COLOURS.values()}
    found: dict[bytes, bytes] = {}
    place = 8
    for _ in range(_MAX_ENTRIES):
        file.seek(place)
        header = file.read(8)
        length = int.from_bytes(header[4:8], "big")
        if len(header) < 8 or length <= 8 or length - 8 > bytes_left(file):
            break
        if header[:4] in known:
            found[header[:4]] = file.read(length - 8)
        place += length
    return found


def _open_colours(blocks: dict[bytes, bytes]) -> Image.Image:
    """Open a picture of one of `_MAC_COLOURS`, with its mask where there is one."""
    from PIL.IcnsImagePlugin import IcnsImageFile

    body = b"".join(kind + (8 + len(content)).to_bytes(4, "big") + content for kind, content in blocks.items())
    return IcnsImageFile(io.BytesIO(b"icns" + (8 + len(body)).to_bytes(4, "big") + body))
