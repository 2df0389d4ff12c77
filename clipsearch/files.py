"""Open, read, create, replace and delete regular files.

Replacing is atomic, and links are followed only where a function says so.
"""

import codecs
import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from clipsearch.errors import InputError
from clipsearch.paths import cache_dir
from clipsearch.quantities import size

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link",
}
# Source: XML 1.0, appendix F, which applies to any text. UTF-32 before UTF-16, whose mark it starts with.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_JUNCTION = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)

# Calls that take a name and the open folder it lies in: nobody can replace the folder by a link meanwhile.
_TAKES_FOLDER = os.unlink in os.supports_dir_fd and os.stat in os.supports_dir_fd

SCRATCH_NAMES = re.compile(r"\.[0-9a-f]{8}\.new", re.ASCII)
"""Names of scratch files, which are written and then renamed; a killed process leaves one."""

# Random names tried for a scratch file: a collision is chance, or somebody who occupies them all.
_ATTEMPTS = 20


def is_link(path: Path) -> bool:
    """Return whether a path is a symbolic link, or a junction of Windows; False when nothing exists there."""
    try:
        status = path.lstat()
    except (OSError, ValueError):
        return False
    return stat.S_ISLNK(status.st_mode) or (
        _JUNCTION is not None and getattr(status, "st_reparse_tag", None) == _JUNCTION
    )


def is_regular(path: Path) -> bool:
    """Return whether a path exists and is itself a regular file: not a link, pipe, device or folder."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def list_files(folder: Path, names: re.Pattern[str], *, may_be_link: bool = False) -> list[Path]:
    """Return the regular files of a folder whose whole name matches a pattern, sorted; empty without the folder.

    Args:
        may_be_link: also list the folder when its own path is a link.
    """
    if is_link(folder) and not may_be_link:
        return []
    with contextlib.suppress(OSError):
        return sorted(path for path in folder.iterdir() if names.fullmatch(path.name) and is_regular(path))
    return []


def open_regular_file(path: str | os.PathLike[str], *, follow_link: bool = True) -> BinaryIO:
    """Open a regular file for reading.

    Never a named pipe or a device: opening one may block for ever, or rewind a tape.

    Args:
        follow_link: when False, a link does not count as a regular file. Links among the parent folders are followed.

    Raises:
        OSError: it can't be opened, or is not a regular file.
    """
    _check_regular(os.stat(path, follow_symlinks=follow_link))  # noqa: PTH116
    # Check again after opening: the path may have been replaced meanwhile.
    descriptor = os.open(path, os.O_RDONLY | _FLAGS | (0 if follow_link else _NO_FOLLOW))
    try:
        _check_regular(os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular_file(path: str | os.PathLike[str], *, max_bytes: int) -> bytes:
    """Read a whole file, opened as in `open_regular_file`.

    Raises:
        OSError: as there, or it is larger than `max_bytes`.
    """
    with open_regular_file(path) as file:
        return read_limited(file, max_bytes)


def read_limited(file: BinaryIO, max_bytes: int) -> bytes:
    """Read the rest of an open file.

    Raises:
        OSError: it can't be read, or more than `max_bytes` are left.
    """
    too_large = OSError(errno.EFBIG, f"larger than {size(max_bytes).replace('.0 ', ' ')}")
    if os.fstat(file.fileno()).st_size > max_bytes:
        raise too_large
    # Files of the kernel claim to be empty, and others may grow.
    content = file.read(max_bytes + 1) or b""
    if len(content) > max_bytes:
        raise too_large
    return content


def byte_order_mark(content: bytes) -> tuple[bytes, str]:
    """Return the byte order mark that a text starts with, and its encoding; both empty when there is none."""
    return next((found for found in _MARKS if content.startswith(found[0])), (b"", ""))


def is_replaced(path: Path) -> bool:
    """Return whether output to `path` would replace a regular file; links are followed.

    Raises:
        InputError: it is something else, such as a named pipe or a device, or it can't be inspected.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not os.path.lexists(path):
            return False
        kind = "a broken link"
    except (OSError, ValueError) as error:
        raise InputError(f"can't write {path}: {getattr(error, 'strerror', None) or error}") from error
    else:
        if stat.S_ISREG(mode):
            return True
        kind = _kind_of(mode)
    raise InputError(f"{path} is {kind}, not a file: output only replaces regular files, choose another name")


def create_file(path: Path, mode: int = 0o600) -> BinaryIO:
    """Create a new file and open it for writing.

    Whatever already has the name, a link too, is not written to.

    Raises:
        OSError: it can't be created; FileExistsError when the name is taken.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _FLAGS, mode), "wb")


def recreate_file(path: Path) -> BinaryIO:
    """Create a file as in `create_file`, after deleting what a killed process has left under the name.

    Raises:
        OSError: it can't be created.
    """
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    return create_file(path)


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically as in `replace_file`, whichever file is there now.

    Raises:
        OSError: it can't be written, or what is there is not a regular file.
    """
    replace_file(path, content, previous=_find_status(path))


def replace_file(path: Path, content: bytes, *, previous: os.stat_result | None) -> None:
    """Write a file atomically: it has the old content or the new one, even when the disk is full.

    Its permissions stay. Never writes through a link; other hard links of the old file keep its content.

    Args:
        previous: status of the file that is replaced; None when there is none.

    Raises:
        OSError: it can't be written, or the file has changed since `previous` was read.
    """
    if previous is not None:
        _check_regular(previous)
    with _replacement(path, 0o666 if previous is None else 0o600) as (file, scratch):
        if previous is not None:
            with contextlib.suppress(OSError):  # keep the owner where that is allowed
                os.chown(scratch, previous.st_uid, previous.st_gid, follow_symlinks=False)
            shutil.copystat(path, scratch)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        if _identity(_find_status(path)) != _identity(previous):
            raise OSError(errno.EBUSY, "another program has changed it meanwhile")


def atomic_write(path: Path, content: bytes, *, mode: int = 0o600, is_durable: bool = False) -> None:
    """Write one of the program's own files atomically: readers see the old content or the new one, never a part.

    `write_file` is for the user's files; this one also replaces a link, and the permissions of the old file.

    Args:
        mode: permissions of the new file, less the umask.
        is_durable: flush to disk; otherwise a power failure may leave an empty or damaged file.

    Raises:
        OSError: it can't be written; the old file stays.
    """
    with atomic_file(path, mode=mode, is_durable=is_durable) as file:
        file.write(content)


@contextlib.contextmanager
def atomic_file(path: Path, *, mode: int = 0o600, is_durable: bool = False) -> Iterator[BinaryIO]:
    """Open a new file, which replaces `path` when the block ends without an error; the rest as in `atomic_write`."""
    with _replacement(path, mode) as (file, _):
        yield file
        file.flush()
        if is_durable:
            os.fsync(file.fileno())


def remove_file(path: Path, *, may_be_link: bool = False) -> bool:
    """Delete a regular file; return whether it was deleted.

    Args:
        may_be_link: allow its parent folder to be a link.
    """
    with contextlib.suppress(OSError), _open_folder(path.parent, may_be_link=may_be_link) as folder:
        if folder is None:
            if not is_regular(path):
                return False
            path.unlink()
        else:
            if not stat.S_ISREG(os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode):
                return False
            os.unlink(path.name, dir_fd=folder)
        return True
    return False


def restrict_to_owner(path: Path) -> None:
    """Restrict a file or folder to its owner by removing all other permissions.

    Raises:
        OSError: it belongs to another user, or is a link.
    """
    handle = os.open(path, os.O_RDONLY | _NO_FOLLOW | _FLAGS)
    try:
        os.fchmod(handle, stat.S_IMODE(os.fstat(handle).st_mode) & 0o700)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _replacement(path: Path, mode: int) -> Iterator[tuple[BinaryIO, Path]]:
    """Create a scratch file, yielded with its path; it is renamed to `path` after the block, deleted on error."""
    file, scratch = _create_scratch(path, mode)
    try:
        with file:
            yield file, scratch
        scratch.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise


def _create_scratch(path: Path, mode: int) -> tuple[BinaryIO, Path]:
    """Create a hidden scratch file next to `path`, open for writing; its name is not longer than the final one."""
    for attempt in range(_ATTEMPTS):
        scratch = path.with_name(f".{secrets.token_hex(4)}.new"[: max(len(path.name), 5)])
        try:
            return create_file(scratch, mode), scratch
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
    """Return values that change whenever a file is written or replaced."""
    return (
        None if status is None else (status.st_mode, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    )


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, f"{_kind_of(status.st_mode)}, not a regular file")


def _kind_of(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "something else")


@contextlib.contextmanager
def _open_folder(folder: Path, *, may_be_link: bool) -> Iterator[int | None]:
    """Open a folder as a file descriptor; yield None where the system has none.

    Raises:
        OSError: it can't be opened, or is a link.
    """
    if not _TAKES_FOLDER:
        if is_link(folder) and not may_be_link:
            raise NotADirectoryError(folder)
        yield None
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | (0 if may_be_link else _NO_FOLLOW))
    try:
        yield handle
    finally:
        os.close(handle)


def make_cache_dir() -> Path:
    """Create `cache_dir`, accessible to the owner only: its content reveals somebody's files.

    Raises:
        OSError: it can't be created.
    """
    folder = cache_dir()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


# Writing one file takes minutes, never this long: older ones are abandoned. Judged by age, not by process id, since the
# cache may be shared between machines or containers.
_ABANDONED_AFTER_S = 3600

_PREFIX = ".new-"


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Create a scratch folder that is always deleted afterwards, with those of killed processes.

    Args:
        parent: a folder in the cache; created for its owner only.

    Raises:
        OSError: it can't be created.
    """
    make_cache_dir()
    parent.mkdir(exist_ok=True, mode=0o700)
    for path in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode) and time.time() - status.st_mtime > _ABANDONED_AFTER_S:
                shutil.rmtree(path)  # does not follow links
    scratch = Path(tempfile.mkdtemp(dir=parent, prefix=_PREFIX))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
