"""Find the pictures below a URL; `find` documents what is left out."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeAlias

from blake3 import blake3

from clipsearch.errors import ImageReadError, InputError
from clipsearch.formats import IMAGE_SUFFIXES, UNSUPPORTED_SUFFIXES
from clipsearch.images.exclude import make_exclusion
from clipsearch.images.file_stamp import clamp_size, signed_64
from clipsearch.images.find import PART_IMAGES, UNKNOWN_SIZE, FoundImage, FoundSidecar, UnseenPath, is_junk, join_path
from clipsearch.images.ignore import IGNORE_FILE, MAX_IGNORE_BYTES, IgnoreRules, read_ignore_file
from clipsearch.images.patterns import plain_path
from clipsearch.images.remote.files import fetched_file, open_file_system, reason_of

# Keys that file systems use for the modification time, and for what changes with the content.
_TIMES = ("mtime", "LastModified", "last_modified", "Last-Modified", "updated", "modified")
_TAGS = ("ETag", "etag", "content_md5", "md5Hash", "Content-MD5", "Digest")

# Concurrent requests, where each file has to be queried.
_REQUESTS = 16

_Entry: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Folder:
    relative_path: str
    rules: IgnoreRules


class UrlWalk:
    """Single-use iterator over the pictures below a URL; the counterpart of `find.ImageWalk`.

    Names are those of the file system: on a web server escaped as in its links. A folder is listed in one request, and
    kept in memory as a whole.

    Attributes:
        unseen: folders and files that could not be listed so far.
        unsupported: lower-case suffix → number of pictures in formats that can't be read, so far.
        sidecars: none: those behind a URL are not read.
    """

    def __init__(self, root: str, *, subfolder: str = "", exclude: Sequence[str] = ()) -> None:
        """List the start folder.

        Args:
            root: as `files.check_folder_url` returns it.
            subfolder: walk only this part of it. Ignore files above it are not read.
            exclude: exclude patterns, see `exclude.Exclusion`; unescaped for a web server.

        Raises:
            FileNotFoundError: the folder is missing.
            InputError: it can't be listed, or is a file.
            MissingExtraError: the package that reads it is not installed.
        """
        self._root = root
        self.sidecars: Sequence[FoundSidecar] = ()
        self.unseen: list[UnseenPath] = []
        self.unsupported: Counter[str] = Counter()
        self._system, self._base = open_file_system(root)
        self._is_web = root.startswith("http")
        self._start = subfolder
        self._exclusion = make_exclusion(exclude)
        url = f"{root}/{subfolder}" if subfolder else root
        if subfolder and self._exclusion is not None and self._exclusion.excludes_folder(plain_path(root, subfolder)):
            raise InputError(
                f"{url} was forgotten or is excluded by --exclude: clear the patterns with --exclude '' on {root}"
            )
        try:
            self._first = self._list(subfolder)
        except FileNotFoundError:
            raise
        except Exception as error:  # whatever the package raises
            raise InputError(f"can't list the folder {url}: {reason_of(error)}") from error
        files = [str(entry["name"]).strip("/") for entry in self._first if entry.get("type") != "directory"]
        if len(self._first) == 1 and files == [self._name(subfolder).strip("/")]:
            raise InputError(f"{url} is a file, not a folder: name the folder that contains it")

    def __iter__(self) -> Iterator[list[FoundImage]]:
        """Yield chunks of at most `PART_IMAGES` pictures, at least one chunk per folder: it may be empty."""
        folders = [_Folder(self._start, IgnoreRules())]
        first: list[_Entry] | None = self._first
        self._first = []
        with ThreadPoolExecutor(_REQUESTS, thread_name_prefix="clipsearch") as pool:
            while folders:
                folder = folders.pop()
                try:
                    entries = self._list(folder.relative_path) if first is None else first
                except Exception as error:  # whatever the package raises  # noqa: BLE001
                    self.unseen.append(UnseenPath(folder.relative_path, reason_of(error)))
                    continue
                first = None
                yield from self._look_into(folder, entries, folders, pool)

    def _look_into(
        self, folder: _Folder, entries: list[_Entry], folders: list[_Folder], pool: ThreadPoolExecutor
    ) -> Iterator[list[FoundImage]]:
        named = sorted(self._children(folder.relative_path, entries), key=lambda child: child[0])
        rules = self._rules_in(folder) if any(name == IGNORE_FILE for name, _ in named) else folder.rules
        if rules is None:
            return
        subfolders: list[_Folder] = []
        pictures: list[tuple[str, _Entry]] = []
        for name, entry in named:
            path = join_path(folder.relative_path, name)
            plain = plain_path(self._root, path)
            if plain[plain.rfind("/") + 1 :].startswith("."):
                continue
            suffix = plain[plain.rfind(".") :].lower()
            if entry.get("type") == "directory":
                if not (is_junk(plain) or self._is_excluded(plain, rules, is_folder=True)):
                    subfolders.append(_Folder(path, rules))
            elif suffix in IMAGE_SUFFIXES and not self._is_excluded(plain, rules):
                pictures.append((path, entry))
            elif suffix in UNSUPPORTED_SUFFIXES and not self._is_excluded(plain, rules):
                self.unsupported[suffix] += 1
        folders.extend(reversed(subfolders))
        for start in range(0, len(pictures) or 1, PART_IMAGES):
            found = pool.map(lambda picture: self._look_at(*picture), pictures[start : start + PART_IMAGES])
            yield [image for image in found if image is not None]

    def _is_excluded(self, plain: str, rules: IgnoreRules, *, is_folder: bool = False) -> bool:
        if self._exclusion is not None and self._exclusion.excludes(plain, is_folder=is_folder):
            return True
        return rules.ignore(plain, is_folder=is_folder)

    def _look_at(self, path: str, entry: _Entry) -> FoundImage | None:
        if not any(entry.get(key) is not None for key in (*_TIMES, *_TAGS)):
            # A web server lists nothing but names.
            try:
                entry = self._system.info(self._name(path))
            except FileNotFoundError:
                return None
            except Exception as error:  # whatever the package raises  # noqa: BLE001
                self.unseen.append(UnseenPath(path, reason_of(error)))
                return None
        return FoundImage(path, size_of(entry), change_number(entry))

    def _list(self, path: str) -> list[_Entry]:
        name = self._name(path)
        # Links on a page are relative to its address.
        entries: list[_Entry] = self._system.ls(f"{name}/" if self._is_web else name, detail=True)
        return entries

    def _children(self, path: str, entries: list[_Entry]) -> Iterator[tuple[str, _Entry]]:
        start = f"{self._name(path)}/"
        for entry in entries:
            name = str(entry["name"])
            child = name[len(start) :].rstrip("/")
            # In particular no links of a page that lead elsewhere.
            if not name.startswith(start) or not child or "/" in child or child == "..":
                continue
            if not (self._is_web and ("?" in child or "#" in child)):
                yield child, entry

    def _rules_in(self, folder: _Folder) -> IgnoreRules | None:
        """Return the rules of a folder as `find.ImageWalk` does: None, and unseen, if its ignore file can't be used."""
        path = join_path(folder.relative_path, IGNORE_FILE)
        plain = plain_path(self._root, folder.relative_path)
        try:
            with fetched_file(f"{self._root}/{path}", max_bytes=MAX_IGNORE_BYTES) as copy:
                return folder.rules.with_folder(plain, read_ignore_file(Path(copy)))
        except FileNotFoundError:
            return folder.rules
        except (OSError, InputError, ImageReadError) as error:
            self.unseen.append(UnseenPath(folder.relative_path, f"its {IGNORE_FILE} can't be used: {reason_of(error)}"))
            return None

    def _name(self, path: str) -> str:
        return join_path(self._base, path) if path else self._base


def change_number(entry: Mapping[str, Any]) -> int:
    """Return the modification time of a file, in ns since 1970 UTC as `signed_64`.

    The fallback is a number of 63 bits hashed from its ETag or checksum, else 0.
    """
    for key in _TIMES:
        found = entry.get(key)
        if isinstance(found, str):
            found = _parse_time(found)
        if isinstance(found, datetime):
            since = (found if found.tzinfo else found.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
            return signed_64(((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000)
        if isinstance(found, int) or (isinstance(found, float) and math.isfinite(found * 1e9)):
            return signed_64(int(found * 1_000_000_000))
    for key in _TAGS:
        if entry.get(key):
            return int.from_bytes(blake3(str(entry[key]).encode()).digest()[:8], "big") >> 1
    return 0


def _parse_time(text: str) -> datetime | None:
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return parse(text)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def size_of(entry: Mapping[str, Any]) -> int:
    """Return the size of a file in bytes; `UNKNOWN_SIZE` where the server reports none, or an invalid one."""
    try:
        size = int(entry["size"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return UNKNOWN_SIZE
    return clamp_size(size) if size >= 0 else UNKNOWN_SIZE
