"""Copy pictures' files to a folder, or link them there, without changing a file that exists."""

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
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
    """Return the absolute path of a folder that files can be placed in; it need not exist.

    Raises:
        InputError: the name is empty, or it is something else.
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
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"can't create the folder {folder}: {error.strerror or error}") from error
    for path in dict.fromkeys(files):
        try:
            if paths.is_folder_url(path):
                raise OSError("it is not on this machine")
            yield _link(path, folder) if links else _copy(path, folder)
        except OSError as error:
            yield PlacedFile(path, "failed", reason=error.strerror or str(error))


def _copy(path: str, folder: Path) -> PlacedFile:
    with open_regular_file(path) as source:
        status = os.fstat(source.fileno())
        for target in _targets(path, folder):
            try:
                file = create_file(target, stat.S_IMODE(status.st_mode) & 0o777)
            except FileExistsError:
                if _has_content(target, source):
                    return PlacedFile(path, "present", target)
                continue
            try:
                with file:
                    source.seek(0)
                    shutil.copyfileobj(source, file, _BLOCK_BYTES)
                os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
            except BaseException:
                target.unlink(missing_ok=True)
                raise
            return PlacedFile(path, "copied", target)
    raise AssertionError


def _link(path: str, folder: Path) -> PlacedFile:
    with open_regular_file(path) as source:
        for target in _targets(path, folder):
            try:
                try:
                    target.symlink_to(Path(path).absolute())
                except FileExistsError:
                    raise
                except (OSError, NotImplementedError):  # Windows without the privilege, or a drive without links
                    target.hardlink_to(path)
            except FileExistsError:
                if _has_content(target, source):
                    return PlacedFile(path, "present", target)
                continue
            return PlacedFile(path, "linked", target)
    raise AssertionError


def _targets(path: str, folder: Path) -> Iterator[Path]:
    """Yield the names that a file may get: its own, then with the numbers from 2 on."""
    name = Path(path)
    yield folder / name.name
    for number in count(2):
        yield folder / f"{name.stem}-{number}{name.suffix}"


def _has_content(target: Path, source: BinaryIO) -> bool:
    """Return whether the file at `target` is the open one, or has the same content."""
    try:
        with open_regular_file(target) as file:
            ours, theirs = os.fstat(source.fileno()), os.fstat(file.fileno())
            if os.path.samestat(ours, theirs):
                return True
            if ours.st_size != theirs.st_size:
                return False
            source.seek(0)
            while block := source.read(_BLOCK_BYTES):
                if file.read(len(block)) != block:
                    return False
            return not file.read(1)
    except OSError:  # a broken link, a folder, or not ours to read: the name is taken
        return False
