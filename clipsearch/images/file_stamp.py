"""What a file system says of a file, in numbers that SQL keeps: another stamp means that the file was changed."""

import os
import sys
from typing import NamedTuple

_LARGEST = (1 << 63) - 1

# Source: Apple, XNU, bsd/sys/stat.h, SF_DATALESS: the content is with a cloud service, and is fetched when it is read.
_DATALESS = 0x40000000
# A file system may keep smaller files beside their names, in no block of their own.
_MOST_INLINE_BYTES = 4096


class FileStamp(NamedTuple):
    """A tuple, because there may be a million.

    Attributes:
        size_bytes: of the file, of a link's target.
        mtime_ns: since 1970 UTC, negative before; as `signed_64`.
        ctime_ns: when content or attributes were last changed, which programs can't set, as `signed_64`; None where
            the system does not tell, or the content is elsewhere: to look at it would fetch it.
        inode: as `signed_64`; None where ctime_ns is.
    """

    size_bytes: int = 0
    mtime_ns: int = 0
    ctime_ns: int | None = None
    inode: int | None = None


NO_STAMP = FileStamp()
"""Of a file that could not be opened."""


def stamp_of(status: os.stat_result) -> FileStamp:
    return FileStamp(*numbers_of(status))


def numbers_of(status: os.stat_result) -> tuple[int, int, int | None, int | None]:
    """Those of a `FileStamp`, in its order. A plain tuple: it is asked for every file in every run."""
    size_bytes, mtime_ns = status.st_size, status.st_mtime_ns
    # On Windows it is the time when the file was made.
    if sys.platform == "win32" or ((sys.platform != "linux" or not status.st_blocks) and is_elsewhere(status)):
        return kept_size(size_bytes), signed_64(mtime_ns), None, None
    ctime_ns, inode = status.st_ctime_ns, status.st_ino
    if -_LARGEST <= mtime_ns <= _LARGEST and -_LARGEST <= ctime_ns <= _LARGEST >= inode and size_bytes <= _LARGEST:
        return size_bytes, mtime_ns, ctime_ns, inode
    return kept_size(size_bytes), signed_64(mtime_ns), signed_64(ctime_ns), signed_64(inode)


def is_elsewhere(status: os.stat_result) -> bool:
    """Whether a file's content is not on this machine but with a cloud service, as far as the system tells."""
    if sys.platform == "win32":
        return False
    if status.st_blocks == 0 and status.st_size > _MOST_INLINE_BYTES:
        return True
    return sys.platform == "darwin" and bool(status.st_flags & _DATALESS)


def signed_64(number: int) -> int:
    """A number modulo 2^64, from -2^63 on: another one in nearly every case where the number is another one.

    File systems have dates beyond the year 2262, which is where 63 bits of nanoseconds end, and unsigned inodes.
    """
    if -_LARGEST <= number <= _LARGEST:
        return number
    return (number + _LARGEST + 1 & 2 * _LARGEST + 1) - _LARGEST - 1


def kept_size(size_bytes: int) -> int:
    """A size as SQL keeps it, 2^63 - 1 at most."""
    return min(size_bytes, _LARGEST)
