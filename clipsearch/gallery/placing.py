"""Copy pictures' files to a folder, or link them there, without changing a file that exists."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Literal

from clipsearch import paths
from clipsearch.errors import InputError
from clipsearch.files import create_file, open_regular_file

_BLOCK_BYTES = 1 << 20

Placing = Literal["copied", "linked", "present", "failed"]


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """What became of one file.

    Attributes:
        path: of the original.
        placing: "present": the folder had it already, under its name or its name with a number.
        target: path in the folder; None when it failed, for the `reason`.
    """

    path: str
    placing: Placing
    target: Path | None = None
    reason: str | None = None


def target_folder(name: paths.StrPath) -> Path:
    """Return the absolute path of a folder that files can be placed in; it need not exist, the one around it must.

    Raises:
        InputError: the name is empty, it is something else, or the folder around it is missing.
    """
    folder = paths.folder_path(name).absolute()
    try:
        is_other = not stat.S_ISDIR(folder.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_other = os.path.lexists(folder)
    except (OSError, ValueError) as error:
        raise InputError(f"can't use the folder {folder}: {getattr(error, 'strerror', None) or error}") from error
    if is_other:
        raise InputError(f"{folder} is not a folder: name another one")
    if not folder.parent.is_dir():  # not created: below the mount point of a missing drive it would fill the disk
        raise InputError(f"the folder {folder.parent} is not there: is the drive mounted?")
    return folder


def place_files(files: Sequence[str], folder: Path, *, links: bool = False) -> Iterator[PlacedFile]:
    """Copy files to a folder, in their order and each once, with their modification times; or link them there.

    A file whose name is taken by other content gets a number: "cat-2.jpg". A copy that fails leaves nothing behind.

    Args:
        folder: created when it is missing.
        links: make symbolic links, or hard links where the system allows no symbolic ones.

    Raises:
        InputError: the folder can't be created.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"can't create the folder {folder}: {error.strerror or error}") from error
    names: dict[str, _Name] = {}
    for path in dict.fromkeys(files):
        try:
            if paths.is_folder_url(path):
                raise OSError("it is not on this machine")
            with open_regular_file(path) as source:
                name = names.setdefault(Path(path).name, _Name(Path(path).name, folder))
                target = name.find(source)
                if target is not None:
                    yield PlacedFile(path, "present", target)
                    continue
                make = partial(_link, path) if links else partial(_copy, source)
                target, is_new = name.take(source, make)
            yield PlacedFile(path, ("linked" if links else "copied") if is_new else "present", target)
        except OSError as error:
            yield PlacedFile(path, "failed", reason=error.strerror or str(error))


class _Name:
    """The files of one name in the folder, without a number and with the numbers from 2 on; each is looked at once."""

    def __init__(self, name: str, folder: Path) -> None:
        self._folder, self._name, self._number = folder, name, 1
        self._unread: dict[int, list[Path]] = {}  # by size
        self._known: dict[int, dict[bytes, Path]] = {}  # by size and digest

    def find(self, source: BinaryIO) -> Path | None:
        """Return the first of those looked at that has the content of an open file."""
        size = os.fstat(source.fileno()).st_size
        known = self._known.setdefault(size, {})
        for target in self._unread.pop(size, ()):
            with suppress(OSError), open_regular_file(target) as file:  # a folder, or not ours to read: it is taken
                known.setdefault(_digest(file), target)
        if not known:
            return None
        source.seek(0)
        return known.get(_digest(source))

    def take(self, source: BinaryIO, make: Callable[[Path], None]) -> tuple[Path, bool]:
        """Make the first target whose name is free, or stop at one with the content of the source.

        Returns:
            The target, and whether it was made.
        """
        is_new = False
        while not is_new:
            target = self._target()
            with suppress(FileExistsError):
                make(target)
                is_new = True
            self._number += 1
            with suppress(OSError):  # a broken link
                self._unread.setdefault(target.stat().st_size, []).append(target)
            if not is_new and os.fstat(source.fileno()).st_size in self._unread:
                found = self.find(source)
                if found is not None:
                    return found, False
        return target, True

    def _target(self) -> Path:
        if self._number == 1:
            return self._folder / self._name
        stem, suffix = Path(self._name).stem, Path(self._name).suffix
        if not suffix and stem.startswith("."):  # ".jpg" is no stem
            stem, suffix = ".", stem
        return self._folder / f"{stem}-{self._number}{suffix}"


def _digest(file: BinaryIO) -> bytes:
    digest = sha256()
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.digest()


def _copy(source: BinaryIO, target: Path) -> None:
    status = os.fstat(source.fileno())
    file = create_file(target, stat.S_IMODE(status.st_mode) & 0o777)
    try:
        with file:
            source.seek(0)
            shutil.copyfileobj(source, file, _BLOCK_BYTES)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    except BaseException:  # Windows deletes no open file
        target.unlink(missing_ok=True)
        raise


def _link(path: str, target: Path) -> None:
    try:
        target.symlink_to(Path(path).absolute())
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # Windows without the privilege, or a drive without links
        target.hardlink_to(path)
