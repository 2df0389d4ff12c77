"""Read the directories of TIFF files and their kin, within bounds and without their pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal

from PIL.ExifTags import Base

# A raw file has five to ten directories, with up to some hundred entries; a hostile one may have a cycle of them.
_MAX_DIRECTORIES = 32
_MAX_ENTRIES = 1024
_MAX_VALUES = 64

# Source: TIFF 6.0, section 2, and for IFD its supplement 1: bytes of the types that are read here.
_ASCII = 2
_BYTES = {1: 1, _ASCII: 1, 3: 2, 4: 4, 13: 4}

_ENTRY_BYTES = 12

# Source: TIFF 6.0, section 8, bit 0 of NewSubfileType, and PhotometricInterpretation from grey to CIE L*a*b*.
_REDUCED = 1
_PLAIN_PHOTOMETRIC = (0, 1, 2, 3, 5, 6, 8)


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory of a file.

    Attributes:
        place: offset in the file.
        tags: tag → its first 64 values; empty where they are not whole numbers or a text, or lie outside the file.
    """

    place: int
    tags: Mapping[int, tuple[int, ...]]

    @property
    def is_copy(self) -> bool:
        """Whether it is a reduced copy of another picture in the file."""
        return bool((self.first(Base.NewSubfileType) or 0) & _REDUCED)

    @property
    def has_colours(self) -> bool:
        """Whether its pixels are plain colours or grey levels, not those of a sensor."""
        return self.first(Base.PhotometricInterpretation) in _PLAIN_PHOTOMETRIC

    def first(self, tag: int) -> int | None:
        """Return the first value of a tag, None where there is none."""
        values = self.tags.get(tag)
        return values[0] if values else None

    def text(self, tag: int) -> str:
        """Return a text up to its first NUL; empty where there is none."""
        return bytes(value & 0xFF for value in self.tags.get(tag, ())).partition(b"\0")[0].decode("latin-1").strip()


def read_directories(file: BinaryIO) -> list[Directory]:
    """Read the directories of the main chain and those below them.

    Args:
        file: begins with a byte order, two bytes that are not looked at (raw formats have their own), and the place of
            the first directory. Its position changes.

    Returns:
        The first directory first; those that lie outside the file are left out.
    """
    file.seek(0)
    header = file.read(8)
    if len(header) < 8 or header[:2] not in (b"II", b"MM"):
        return []
    order: Literal["little", "big"] = "little" if header.startswith(b"II") else "big"
    waiting, seen = [int.from_bytes(header[4:], order)], {0}
    found: list[Directory] = []
    while waiting and len(found) < _MAX_DIRECTORIES:
        place = waiting.pop(0)
        if place in seen:
            continue
        seen.add(place)
        entries, next_place = _read_entries(file, place, order)
        if entries:
            directory = Directory(place, {tag: _read_values(file, entry, order) for tag, entry in entries.items()})
            found.append(directory)
            waiting += [*directory.tags.get(Base.SubIFDs, ()), next_place]
    return found


def _read_entries(file: BinaryIO, place: int, order: Literal["little", "big"]) -> tuple[dict[int, bytes], int]:
    """Return {tag: its entry of 12 bytes} and the place of the next directory, 0 at the end."""
    file.seek(place)
    count = min(int.from_bytes(file.read(2), order), _MAX_ENTRIES)
    content = file.read(_ENTRY_BYTES * count)
    entries = [content[start : start + _ENTRY_BYTES] for start in range(0, len(content), _ENTRY_BYTES)]
    next_place = int.from_bytes(file.read(4), order)
    return {int.from_bytes(each[:2], order): each for each in entries if len(each) == _ENTRY_BYTES}, next_place


def _read_values(file: BinaryIO, entry: bytes, order: Literal["little", "big"]) -> tuple[int, ...]:
    size = _BYTES.get(int.from_bytes(entry[2:4], order))
    count = int.from_bytes(entry[4:8], order)
    if size is None or count == 0:
        return ()
    content = entry[8:]
    if size * count > len(content):
        file.seek(int.from_bytes(content, order))
        content = file.read(size * min(count, _MAX_VALUES))
    values = min(count, _MAX_VALUES, len(content) // size)
    return tuple(int.from_bytes(content[size * row : size * (row + 1)], order) for row in range(values))
