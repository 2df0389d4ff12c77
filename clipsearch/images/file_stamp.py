"""Stamp files with size, times and inode, as integers that SQL can store; another stamp means a changed file."""

import os
import sys
from typing import NamedTuple

_MAX_INT = (1 << 63) - 1
_IS_LINUX, _IS_WINDOWS = sys.platform == "linux", sys.platform == "win32"

# Source: Apple, XNU, bsd/sys/stat.h, SF_DATALESS: the content is in cloud storage, and is downloaded when it is read.
_DATALESS = 0x40000000
# A file system may store smaller files inline with their metadata, in no block of their own.
_MAX_INLINE_BYTES = 4096


class FileStamp(NamedTuple):
    """Size, times and inode of a file. A tuple, because there may be a million.

    Attributes:
        size_bytes: of the file, or of a link's target.
        mtime_ns: since 1970 UTC, negative before; as `signed_64`.
        ctime_ns: last change of content or attributes, which programs can't set, as `signed_64`; None where the
            system does not report it, or the content is in cloud storage: comparing it would download it.
        inode: as `signed_64`; None where ctime_ns is.
    """

    size_bytes: int = 0
    mtime_ns: int = 0
    ctime_ns: int | None = None
    inode: int | None = None


NO_STAMP = FileStamp()
"""Stamp of a file that could not be opened."""


def stamp_of(status: os.stat_result) -> FileStamp:
    return FileStamp(*stamp_fields(status))


def stamp_fields(status: os.stat_result) -> tuple[int, int, int | None, int | None]:
    """Return the fields of a `FileStamp` in order, as a plain tuple: this runs for every file in every run."""
    # On Windows, ctime is the creation time.
    if _IS_WINDOWS or ((not _IS_LINUX or not status.st_blocks) and is_elsewhere(status)):
        return clamp_size(status.st_size), signed_64(status.st_mtime_ns), None, None
    fields = size_bytes, mtime_ns, ctime_ns, inode = (
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
    )
    if 0 <= size_bytes | mtime_ns | ctime_ns | inode <= _MAX_INT:  # all of them
        return fields
    return clamp_size(size_bytes), signed_64(mtime_ns), signed_64(ctime_ns), signed_64(inode)


def is_elsewhere(status: os.stat_result) -> bool:
    """Return whether a file's content is only in cloud storage, as far as the system reports it."""
    if sys.platform == "win32":
        return False
    if status.st_blocks == 0 and status.st_size > _MAX_INLINE_BYTES:
        return True
    return sys.platform == "darwin" and bool(status.st_flags & _DATALESS)


def signed_64(number: int) -> int:
    """Return a number modulo 2^64, from -2^63 on: different numbers stay different in nearly all cases.

    File systems have dates after the year 2262, where 63 bits of nanoseconds end, and unsigned inodes.
    """
    if -_MAX_INT <= number <= _MAX_INT:
        return number
    return (number + _MAX_INT + 1 & 2 * _MAX_INT + 1) - _MAX_INT - 1


def clamp_size(size_bytes: int) -> int:
    """Clamp a size to 2^63 - 1, the largest integer of SQL."""
    return min(size_bytes, _MAX_INT)
