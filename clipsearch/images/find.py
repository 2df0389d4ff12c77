"""Find the pictures below a folder, and stamp them.

By name only: the format of a file is detected when it is decoded. Hidden files and folders (a leading dot),
`JUNK_FOLDERS`, and whatever a `.clipsearchignore` ignores (`images.ignore`) are left out.
"""

import errno
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from clipsearch.errors import InputError
from clipsearch.formats import IMAGE_SUFFIXES, JUNK_FOLDER_ENDINGS, JUNK_FOLDERS, UNSUPPORTED_SUFFIXES
from clipsearch.images.descriptions.sidecar_names import SIDECAR_SUFFIXES, SidecarKind, find_sidecars
from clipsearch.images.exclude import make_exclusion
from clipsearch.images.file_stamp import stamp_fields
from clipsearch.images.ignore import IGNORE_FILE, IgnoreRules, read_ignore_file
from clipsearch.images.volume import keeps_change_times

# Pictures in one chunk of a walk.
PART_IMAGES = 1_000

UNKNOWN_SIZE = -1

# A dangling or circular link, or a file deleted since its folder was listed, counts as missing.
_NOT_THERE = {errno.ENOENT, errno.ELOOP, errno.ENOTDIR}

_NAME: Callable[[os.DirEntry[str]], str] = attrgetter("name")

_new_tuple = tuple.__new__


class FoundImage(NamedTuple):
    """A regular file, or a link to one, with a picture's suffix. A tuple, because there may be a million.

    Attributes:
        relative_path: below the root, parts joined by "/"; bytes that are not UTF-8 as surrogates (`os.fsencode`).
        size_bytes: of the file, or of a link's target; `UNKNOWN_SIZE` where a listing does not tell.
        mtime_ns: as in `FileStamp`. Behind a URL any number that changes with the file, or 0.
        ctime_ns: as in `FileStamp`; None where the file system does not persist it, see `volume.keeps_change_times`.
        inode: as in `FileStamp`; None where ctime_ns is.
    """

    relative_path: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int | None = None
    inode: int | None = None


class FoundSidecar(NamedTuple):
    """A regular file that describes a picture beside it, see `find_sidecars`.

    Attributes:
        relative_path: of the picture, as in `FoundImage`.
        name: of the sidecar, in the same folder.
        size_bytes: of the sidecar, as is `mtime_ns`.
    """

    relative_path: str
    name: str
    kind: SidecarKind
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class UnseenPath:
    """A folder or file that could not be read.

    Nothing is known about it or anything below it. It must not be treated as deleted.

    Attributes:
        relative_path: below the root; "" is the root itself.
        reason: short, without the path.
    """

    relative_path: str
    reason: str


@dataclass(frozen=True, slots=True)
class FoundImages:
    """Result of `find_images`.

    Attributes:
        images: in the order of the walk: the files of a folder by name, then its subfolders by name; links to
            folders after everything else.
        unseen: folders and files that could not be read, in the order of the walk.
        unsupported: lower-case suffix → number of pictures in formats that can't be read.
    """

    images: tuple[FoundImage, ...]
    unseen: tuple[UnseenPath, ...]
    unsupported: Mapping[str, int]


def find_images(root: str | Path, *, subfolder: str = "") -> FoundImages:
    """List all pictures below a folder with an `ImageWalk`.

    Raises:
        InputError: see `ImageWalk`.
    """
    walk = ImageWalk(root, subfolder=subfolder)
    images = tuple(image for part in walk for image in part)
    return FoundImages(images, tuple(walk.unseen), dict(sorted(walk.unsupported.items())))


@dataclass(frozen=True, slots=True)
class _Folder:
    relative_path: str
    rules: IgnoreRules  # of the folders above
    is_linked: bool = False  # reached through a link


class ImageWalk:
    """Single-use iterator over the pictures below a folder, in a deterministic order.

    Links to files and to folders are followed. A folder is listed once, by its real path if that is below the root,
    and a link to a folder that contains the root is not followed: it would lead to everything outside the root.
    Not recursive, so a tree may be as deep as the system allows paths to be long.

    Attributes:
        unseen: folders and files that could not be read so far.
        unsupported: lower-case suffix → number of pictures in formats that can't be read, so far.
        sidecars: of the pictures so far, and perhaps of files that are left out.
    """

    def __init__(self, root: str | Path, *, subfolder: str = "", exclude: Sequence[str] = ()) -> None:
        """Check the folder, and load the rules of the folders above the subfolder.

        Args:
            root: all paths are relative to it.
            subfolder: walk only this part of the root, a relative path; rules and paths are those of the whole root.
            exclude: exclude patterns, see `exclude.Exclusion`.

        Raises:
            InputError: the root or the subfolder is missing, is not a folder, or can't be listed, or a walk of the
                whole root leaves the subfolder out.
        """
        self._root = root
        self._exclusion = make_exclusion(exclude)
        self.unseen: list[UnseenPath] = []
        self.unsupported: Counter[str] = Counter()
        self.sidecars: list[FoundSidecar] = []
        self._visited: set[tuple[int, int]] = set()
        self._change_times: dict[int, bool] = {}  # by device
        self._device = -1  # that the last file lay on
        self._keeps_change_times = False
        self._folders: list[_Folder] = []  # a stack
        self._links: deque[_Folder] = deque()  # followed after all real folders, so that real paths win
        self._check_folder(subfolder)
        start = self._enter(subfolder)
        if start is not None:
            self._folders.append(start)

    def __iter__(self) -> Iterator[list[FoundImage]]:
        """Yield chunks of at most `PART_IMAGES` pictures, at least one chunk per folder: it may be empty."""
        while self._folders or self._links:
            folder = self._folders.pop() if self._folders else self._links.popleft()
            try:
                yield from self._list_folder(folder)
            except OSError as error:
                self.unseen.append(UnseenPath(folder.relative_path, _reason(error)))

    def _check_folder(self, subfolder: str) -> None:
        """Raise InputError unless the folder exists and can be listed."""
        if Path(subfolder).is_absolute() or ".." in Path(subfolder).parts:
            raise InputError(f"not a folder below {self._root}: {subfolder}")
        path = self._full_path(subfolder)
        try:
            with os.scandir(path):
                pass
            holders = [parent.stat() for parent in path.resolve().parents]
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise InputError(f"can't list the folder {path}: {_reason(error)}") from error
        self._visited.update((holder.st_dev, holder.st_ino) for holder in holders)

    def _enter(self, subfolder: str) -> _Folder | None:
        """Return the start folder with the rules of all folders above it, or None if those rules can't be read."""
        parts = [part for part in Path(subfolder).parts if part != "."]
        folder = _Folder("", IgnoreRules())
        for part in parts:
            rules = self._rules_in(folder)
            if rules is None:
                return None
            relative_path = join_path(folder.relative_path, part)
            if self._exclusion is not None and self._exclusion.excludes(relative_path, is_folder=True):
                raise InputError(
                    f"{relative_path} in {self._root} was forgotten or is excluded by --exclude: index it by that "
                    "path, or clear the patterns with --exclude ''"
                )
            if part.startswith(".") or is_junk(relative_path) or rules.ignore(relative_path, is_folder=True):
                raise InputError(f"{relative_path} in {self._root} is hidden, junk or ignored by a {IGNORE_FILE}")
            folder = _Folder(relative_path, rules)
        return folder

    def _list_folder(self, folder: _Folder) -> Iterator[list[FoundImage]]:
        with _opened(self._full_path(folder.relative_path)) as place:
            status = os.stat(place)  # noqa: PTH116 (an open folder)
            identity = (status.st_dev, status.st_ino)
            # Real folders are never skipped for their inode: some network file systems give one inode to several.
            if folder.is_linked and identity in self._visited:
                return
            self._visited.add(identity)
            with os.scandir(place) as listing:
                entries = sorted(listing, key=_NAME)
            yield from self._look_at_entries(entries, folder)

    def _look_at_entries(self, entries: list[os.DirEntry[str]], folder: _Folder) -> Iterator[list[FoundImage]]:
        rules = self._rules_in(folder) if IGNORE_FILE in map(_NAME, entries) else folder.rules
        if rules is None:
            return
        images: list[FoundImage] = []
        subfolders: list[_Folder] = []
        start = join_path(folder.relative_path, "")
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                continue
            relative_path = start + name
            try:
                if not entry.is_dir():
                    image = self._look_at_file(entry, relative_path, rules)
                    if image is not None:
                        images.append(image)
                elif not (is_junk(relative_path) or self._is_excluded(relative_path, rules, is_folder=True)):
                    if entry.is_symlink():
                        self._links.append(_Folder(relative_path, rules, is_linked=True))
                    else:
                        subfolders.append(_Folder(relative_path, rules, folder.is_linked))
            except OSError as error:
                if error.errno not in _NOT_THERE:
                    self.unseen.append(UnseenPath(relative_path, _reason(error)))
            if len(images) == PART_IMAGES:
                yield images
                images = []
        self._folders.extend(reversed(subfolders))
        self._look_at_sidecars(entries, start)
        yield images

    def _look_at_sidecars(self, entries: list[os.DirEntry[str]], start: str) -> None:
        """Stamp the sidecars of a folder's pictures; one that can't be looked at is as one that is not there."""
        beside = {entry.name: entry for entry in entries if entry.name.endswith(SIDECAR_SUFFIXES)}
        names = set(map(_NAME, entries)) if beside else ()
        stamps: dict[str, tuple[int, int] | None] = {}
        for picture, name, kind in find_sidecars(names, sidecars=beside):
            if name not in stamps:
                stamps[name] = None
                with suppress(OSError):
                    status = beside[name].stat()
                    if S_ISREG(status.st_mode):
                        stamps[name] = status.st_size, status.st_mtime_ns
            stamp = stamps[name]
            if stamp is not None:
                self.sidecars.append(FoundSidecar(start + picture, name, kind, *stamp))

    def _look_at_file(self, entry: os.DirEntry[str], relative_path: str, rules: IgnoreRules) -> FoundImage | None:
        suffix = relative_path[relative_path.rfind(".") :]
        if suffix in IMAGE_SUFFIXES or (suffix := suffix.lower()) in IMAGE_SUFFIXES:
            if rules.folders and rules.ignore(relative_path, is_folder=False):
                return None
            if self._exclusion is not None and self._exclusion.excludes(relative_path, is_folder=False):
                return None
            status = entry.stat()
            # Never a named pipe or a device, whatever its name: reading one may block for ever.
            if S_ISREG(status.st_mode):
                if status.st_dev != self._device:
                    self._enter_device(status.st_dev, relative_path)
                size_bytes, mtime_ns, ctime_ns, inode = stamp_fields(status)
                if not self._keeps_change_times:
                    ctime_ns = inode = None
                # In half the time of the class's own constructor.
                return _new_tuple(FoundImage, (relative_path, size_bytes, mtime_ns, ctime_ns, inode))
        elif suffix in UNSUPPORTED_SUFFIXES and entry.is_file() and not self._is_excluded(relative_path, rules):
            self.unsupported[suffix] += 1
        return None

    def _is_excluded(self, relative_path: str, rules: IgnoreRules, *, is_folder: bool = False) -> bool:
        if self._exclusion is not None and self._exclusion.excludes(relative_path, is_folder=is_folder):
            return True
        return rules.ignore(relative_path, is_folder=is_folder)

    def _rules_in(self, folder: _Folder) -> IgnoreRules | None:
        """Return the ignore rules inside a folder.

        None, with the folder recorded as unseen, when its ignore file can't be read or parsed: pictures that the user
        wants left out must not slip in, and indexed ones must not be removed because of a typing error.
        """
        try:
            lines = read_ignore_file(self._full_path(folder.relative_path) / IGNORE_FILE)
            return folder.rules.with_folder(folder.relative_path, lines)
        except FileNotFoundError:
            return folder.rules
        except (OSError, InputError) as error:
            reason = f"its {IGNORE_FILE} can't be used: {_reason(error)}"
            self.unseen.append(UnseenPath(folder.relative_path, reason))
            return None

    def _enter_device(self, device: int, relative_path: str) -> None:
        if device not in self._change_times:
            self._change_times[device] = keeps_change_times(str(self._full_path(relative_path)))
        self._device, self._keeps_change_times = device, self._change_times[device]

    def _full_path(self, relative_path: str) -> Path:
        return Path(self._root, relative_path)


@contextmanager
def _opened(path: Path) -> Iterator[Path | int]:
    """Open a folder where the system can list an open one: its files are then found by name, not by a long path."""
    if os.scandir not in os.supports_fd:
        yield path
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def join_path(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def is_junk(relative_path: str) -> bool:
    path = relative_path.lower()
    return path.rpartition("/")[2] in JUNK_FOLDERS or path.endswith(tuple(JUNK_FOLDER_ENDINGS))


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
