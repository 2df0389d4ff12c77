"""Files that are deleted, closed to others or written only where they are this program's own: by the exact form of
their names, regular files alone, and never through a link."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# Calls that take a name and the open folder it lies in: nobody can put a link in the folder's place meanwhile.
_TAKES_FOLDER = os.unlink in os.supports_dir_fd and os.stat in os.supports_dir_fd

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_JUNCTION = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)


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
    with suppress(OSError):
        return sorted(path for path in folder.iterdir() if names.fullmatch(path.name) and is_regular(path))
    return []


def remove_file(path: Path, *, may_be_link: bool = False) -> bool:
    """Deletes a regular file; says whether it did.

    Args:
        may_be_link: the name of the folder it lies in may be a link.
    """
    with suppress(OSError), _opened(path.parent, may_be_link=may_be_link) as folder:
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
    """Takes the rights of everybody but the owner from a file or folder.

    Raises:
        OSError: it is somebody else's, or a link.
    """
    handle = os.open(path, os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0))
    try:
        os.fchmod(handle, stat.S_IMODE(os.fstat(handle).st_mode) & 0o700)
    finally:
        os.close(handle)


def create_file(path: Path) -> BinaryIO:
    """A new file for the owner only, open for writing. What a killed process has left under the name goes; a link or a
    file that somebody puts there meanwhile is not written to.

    Raises:
        OSError: it can't be made.
    """
    with suppress(FileNotFoundError):
        path.unlink()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | getattr(os, "O_BINARY", 0), 0o600)
    return os.fdopen(handle, "wb")


@contextmanager
def _opened(folder: Path, *, may_be_link: bool) -> Iterator[int | None]:
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
