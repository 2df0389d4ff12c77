"""Find boxes in ISO base media files, and read what Pillow does not: creation times, and code points of colours."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import BinaryIO

# Source: ISO/IEC 14496-12, 8.2.2 (mvhd) and ISO/IEC 23008-12, 6.5.18 (crtt): times count from this epoch, in UTC.
_EPOCH = datetime(1904, 1, 1)

# Box paths that may hold dates, and the number of bytes between a box's header and its content.
_PATHS = (((b"meta", 4), (b"iprp", 0), (b"ipco", 0), (b"crtt", 4)), ((b"moov", 0), (b"mvhd", 0)))

# Source: ISO/IEC 23008-12, 6.5.5, and ISO/IEC 14496-12, 12.1.5: the kind, then primaries and transfer of H.273.
_COLOURS = ((b"meta", 4), (b"iprp", 0), (b"ipco", 0), (b"colr", 0))

# A box of boxes has a handful; a hostile file may have millions.
_MAX_BOXES = 1_000


def read_creation_time(file: BinaryIO) -> datetime | None:
    """Return the creation time of a picture in UTC, or None where the container has none.

    Args:
        file: open for reading, seekable; its position changes.
    """
    size = file.seek(0, 2)
    for path in _PATHS:
        found = find_box(file, path, size)
        if found is None:
            continue
        file.seek(found[0])
        content = file.read(12)
        if path[-1][0] == b"crtt":
            microseconds = int.from_bytes(content[:8], "big")
        else:  # a version, three bytes of flags, and the time in seconds
            microseconds = int.from_bytes(content[4:12] if content[:1] == b"\1" else content[4:8], "big") * 1_000_000
        try:
            return _EPOCH + timedelta(microseconds=microseconds) if microseconds else None
        except OverflowError:
            return None
    return None


def read_code_points(file: BinaryIO) -> tuple[int, int] | None:
    """Return the code points (primaries, transfer) of an AVIF or HEIF picture, as in ITU-T H.273.

    The first description counts; None where it is an ICC profile, or there is none.

    Args:
        file: open for reading, seekable; its position changes.
    """
    found = find_box(file, _COLOURS, file.seek(0, 2))
    if found is None:
        return None
    file.seek(found[0])
    content = file.read(8)
    if len(content) < 8 or content[:4] != b"nclx":
        return None
    return int.from_bytes(content[4:6], "big"), int.from_bytes(content[6:8], "big")


def read_png_code_points(file: BinaryIO) -> tuple[int, int] | None:
    """Return the code points (primaries, transfer) of a PNG's chunk cICP, or None; arguments as above."""
    # Source: PNG, third edition, 5.3 (chunks) and 11.3.2.6: cICP stands before the pixels.
    start = 8
    for _ in range(_MAX_BOXES):
        file.seek(start)
        header = file.read(10)
        if len(header) < 10 or header[4:8] == b"IDAT":
            return None
        if header[4:8] == b"cICP":
            return header[8], header[9]
        start += 12 + int.from_bytes(header[:4], "big")
    return None


def find_box(
    file: BinaryIO, path: tuple[tuple[bytes, int], ...], size: int, *, identifier: bytes = b""
) -> tuple[int, int] | None:
    """Find a box in an ISO base media file; its position changes.

    Args:
        path: kinds of the boxes from the outermost on, each with the number of bytes between its header and content.
        size: of the file in bytes.
        identifier: what the first box of the path begins with after its header, as "uuid" boxes do.

    Returns:
        Start and end of the content of the first such box, None where there is none.
    """
    start, end = 0, size
    for level, (kind, skipped) in enumerate(path):
        for name, box_start, box_end in iterate_boxes(file, start, end):
            if name == kind and (level > 0 or _starts_with(file, box_start, identifier)):
                start, end = box_start + skipped, box_end
                break
        else:
            return None
    return start, end


def _starts_with(file: BinaryIO, place: int, identifier: bytes) -> bool:
    file.seek(place)
    return file.read(len(identifier)) == identifier


def iterate_boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start of content, end) of up to 1,000 boxes between two offsets, until one is invalid."""
    for _ in range(_MAX_BOXES):
        file.seek(start)
        header = file.read(16)
        length, begin = int.from_bytes(header[:4], "big"), start + 8
        if length == 1:
            length, begin = int.from_bytes(header[8:16], "big"), start + 16
        elif length == 0:  # to the end
            length = end - start
        if len(header) < 8 or length < begin - start or start + length > end:
            return
        yield header[4:8], begin, start + length
        start += length
