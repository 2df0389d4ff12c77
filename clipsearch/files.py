"""Open, read, create, replace and delete files: regular ones only, atomically, and never through a link unless that is
said."""

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
_JUNCTION = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)

# Calls that take a name and the open folder it lies in: nobody can put a link in the folder's place meanwhile.
_TAKES_FOLDER = os.unlink in os.supports_dir_fd and os.stat in os.supports_dir_fd

SCRATCH_NAMES = re.compile(r"\.[0-9a-f]{8}\.new", re.ASCII)
"""Of the files that are written before they are renamed; a killed process leaves one."""

# Names drawn for a scratch file: one that is taken is met by chance, or because somebody fills them all.
_ATTEMPTS = 20


def is_link(path: Path) -> bool:
    """Whether a name leads elsewhere: a symbolic link, or a junction of Windows; False where nothing is."""
    try:
        status = path.lstat()
    except (OSError, ValueError):
        return False
    return stat.S_ISLNK(status.st_mode) or (
        _JUNCTION is not None and getattr(status, "st_reparse_tag", None) == _JUNCTION
    )


def is_regular(path: Path) -> bool:
    """A file that is there under its own name: no link, pipe, device or folder."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def list_files(folder: Path, names: re.Pattern[str], *, may_be_link: bool = False) -> list[Path]:
    """The regular files in a folder whose whole name has a form, sorted; none where the folder is not there.

    Args:
        may_be_link: look into the folder though its own name is a link.
    """
    if is_link(folder) and not may_be_link:
        return []
    with contextlib.suppress(OSError):
        return sorted(path for path in folder.iterdir() if names.fullmatch(path.name) and is_regular(path))
    return []


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
    too_large = OSError(errno.EFBIG, f"larger than {size(max_bytes).replace('.0 ', ' ')}")
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
        kind = _kind_of(mode)
    raise InputError(f"{path} is {kind} and no file: output replaces regular files alone, choose another name")


def create_file(path: Path, mode: int = 0o600) -> BinaryIO:
    """Create a file that is not there yet and open it for writing; what has the name already, a link too, is not
    written to.

    Raises:
        OSError: it can't be made; FileExistsError where something has the name.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _FLAGS, mode), "wb")


def recreate_file(path: Path) -> BinaryIO:
    """Create a file as in `create_file`, after deleting what a killed process has left under the name.

    Raises:
        OSError: it can't be made.
    """
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    return create_file(path)


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
    with _replacement(path, 0o666 if previous is None else 0o600) as (file, scratch):
        if previous is not None:
            with contextlib.suppress(OSError):  # the owner, for those who may set it
                os.chown(scratch, previous.st_uid, previous.st_gid, follow_symlinks=False)
            shutil.copystat(path, scratch)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        if _identity(_find_status(path)) != _identity(previous):
            raise OSError(errno.EBUSY, "another program has changed it meanwhile")


def atomic_write(path: Path, content: bytes, *, mode: int = 0o600, is_durable: bool = False) -> None:
    """Write a file of the program's own atomically: readers see the old content or the new one, never a part.

    Unlike `write_file`, which is for the user's files, it replaces whatever has the name, a link too, and its
    permissions.

    Args:
        mode: of the new file, less the umask.
        is_durable: wait until it is on the disk; else a power cut may leave an empty or damaged file.

    Raises:
        OSError: it can't be written; what was there stays.
    """
    with atomic_file(path, mode=mode, is_durable=is_durable) as file:
        file.write(content)


@contextlib.contextmanager
def atomic_file(path: Path, *, mode: int = 0o600, is_durable: bool = False) -> Iterator[BinaryIO]:
    """Open a new file that replaces `path` when the block ends without an error; else as in `atomic_write`."""
    with _replacement(path, mode) as (file, _):
        yield file
        file.flush()
        if is_durable:
            os.fsync(file.fileno())


def remove_file(path: Path, *, may_be_link: bool = False) -> bool:
    """Delete a regular file; say whether it did.

    Args:
        may_be_link: the name of the folder it lies in may be a link.
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


def close_to_others(path: Path) -> None:
    """Take the rights of everybody but the owner from a file or folder.

    Raises:
        OSError: it is somebody else's, or a link.
    """
    handle = os.open(path, os.O_RDONLY | _NO_FOLLOW | _FLAGS)
    try:
        os.fchmod(handle, stat.S_IMODE(os.fstat(handle).st_mode) & 0o700)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _replacement(path: Path, mode: int) -> Iterator[tuple[BinaryIO, Path]]:
    """A scratch file, open for writing, and its path; renamed to `path` after the block, deleted after an error."""
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
    """A new hidden file beside `path`, opened for writing; its name is no longer than the final one."""
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
    """What changes whenever a file is written or another takes its name."""
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
    """A folder as a file descriptor; None where the system has none.

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
    """`cache_dir`, for the owner alone where it has to be made: what lies there tells of somebody's files.

    Raises:
        OSError: it can't be made.
    """
    folder = cache_dir()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


# Between two files that are made minutes pass, never so long: after that their process is gone. By age and not by
# process number, since the cache may be shared with other machines or containers.
_ABANDONED_AFTER_S = 3600

_PREFIX = ".new-"


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A new folder, deleted whatever happens; those of processes that were killed go with it.

    Args:
        parent: lies in the cache; made for its owner alone.

    Raises:
        OSError: it can't be made.
    """
    make_cache_dir()
    parent.mkdir(exist_ok=True, mode=0o700)
    for path in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode) and time.time() - status.st_mtime > _ABANDONED_AFTER_S:
                shutil.rmtree(path)  # which follows no link
    scratch = Path(tempfile.mkdtemp(dir=parent, prefix=_PREFIX))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
