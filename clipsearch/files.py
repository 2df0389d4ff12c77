"""Open, read and replace files that others have made: regular ones only, up to a limit, atomically."""

import codecs
import contextlib
import errno
import os
import secrets
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

from clipsearch.errors import InputError

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link",
}
# Source: XML 1.0, appendix F, which goes for any text. UTF-32 before UTF-16, whose mark it begins with.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)

# Names drawn for a scratch file: one that is taken is met by chance, or because somebody fills them all.
_ATTEMPTS = 20


def open_regular_file(path: str | os.PathLike[str], *, follow_link: bool = True) -> BinaryIO:
    """Open a file for reading, never a named pipe or a device: to open one may wait for ever, or rewind a tape.

    Args:
        follow_link: False: a link is no regular file either. Links among the folders above are followed.

    Raises:
        OSError: it can't be opened, or is not a regular file.
    """
    _check_regular(os.stat(path, follow_symlinks=follow_link))  # noqa: PTH116
    # It may have become something else by now.
    descriptor = os.open(path, os.O_RDONLY | _FLAGS | (0 if follow_link else _NO_FOLLOW))
    try:
        _check_regular(os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular_file(path: str | os.PathLike[str], *, max_bytes: int) -> bytes:
    """Read a whole file, as in `open_regular_file`.

    Raises:
        OSError: as there, or it is larger than `max_bytes`.
    """
    with open_regular_file(path) as file:
        return read_limited(file, max_bytes)


def read_limited(file: BinaryIO, max_bytes: int) -> bytes:
    """Read all that is left of a file.

    Raises:
        OSError: it can't be read, or that is more than `max_bytes`.
    """
    too_large = OSError(errno.EFBIG, f"larger than {max_bytes / 1e6:,g} MB")
    if os.fstat(file.fileno()).st_size > max_bytes:
        raise too_large
    # Files of the system say that they are empty, and others may grow.
    content = file.read(max_bytes + 1) or b""
    if len(content) > max_bytes:
        raise too_large
    return content


def byte_order_mark(content: bytes) -> tuple[bytes, str]:
    """The byte order mark that a text begins with, and the encoding that it says; both empty where there is none."""
    return next((found for found in _MARKS if content.startswith(found[0])), (b"", ""))


def is_replaced(path: Path) -> bool:
    """Whether output to `path` would take the place of a regular file; links are followed.

    Raises:
        InputError: there is something else, such as a named pipe or a device, or it can't be looked at.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not os.path.lexists(path):
            return False
        kind = "a link that leads nowhere"
    except (OSError, ValueError) as error:
        raise InputError(f"can't write {path}: {getattr(error, 'strerror', None) or error}") from error
    else:
        if stat.S_ISREG(mode):
            return True
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
    raise InputError(f"{path} is {kind} and no file: output replaces regular files alone, choose another name")


def write_file(path: Path, content: bytes) -> None:
    """Write a file as in `replace_file`, whatever file is there now.

    Raises:
        OSError: it can't be written, or what is there is not a regular file.
    """
    replace_file(path, content, previous=_find_status(path))


def replace_file(path: Path, content: bytes, *, previous: os.stat_result | None) -> None:
    """Write a file atomically: it has the old content or the new one, also after a full disk. Its permissions stay.

    Never written through a link; other names of the old file keep its content.

    Args:
        previous: status of the file that is replaced; None: there is none.

    Raises:
        OSError: it can't be written, or is not the file any more that `previous` is of.
    """
    if previous is not None:
        _check_regular(previous)
    descriptor, scratch = _create_scratch(path, 0o666 if previous is None else 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if previous is not None:
                with contextlib.suppress(OSError):  # the owner, for those who may set it
                    os.chown(scratch, previous.st_uid, previous.st_gid, follow_symlinks=False)
                shutil.copystat(path, scratch)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if _identity(_find_status(path)) != _identity(previous):
            raise OSError(errno.EBUSY, "another program has changed it meanwhile")
        scratch.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise


def _create_scratch(path: Path, mode: int) -> tuple[int, Path]:
    """A new hidden file beside `path`, opened for writing; its name is no longer than the final one."""
    for attempt in range(_ATTEMPTS):
        scratch = path.with_name(f".{secrets.token_hex(4)}.new"[: max(len(path.name), 5)])
        try:
            return os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _FLAGS, mode), scratch
        except FileExistsError:
            if attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError


def _find_status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _identity(status: os.stat_result | None) -> tuple[int, ...] | None:
    """What changes whenever a file is written or another takes its name."""
    return (
        None if status is None else (status.st_mode, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    )


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise OSError(errno.EINVAL, f"{kind}, not a regular file")
