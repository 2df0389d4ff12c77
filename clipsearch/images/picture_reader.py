"""Read files once, in lists: hash each, and decode the crop for the model when the content is new."""

import os
import threading
from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import ImageReadError, TransientReadError
from clipsearch.images import reading
from clipsearch.images.file_parts import is_film
from clipsearch.images.file_stamp import NO_STAMP, FileStamp, stamp_of
from clipsearch.images.opening import suffix_of
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.reading import OpenList, OpenLists
from clipsearch.images.reasons import too_many_bytes
from clipsearch.parts import Parts
from clipsearch.types import ImageMetadata

if TYPE_CHECKING:
    from clipsearch.images.find import FoundImage

Outcome = Literal["decoded", "stored", "duplicate", "failed"]

# A list has up to this many bytes: its files are in memory together, and those that come next are not held up.
_MAX_LIST_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read.

    Attributes:
        path: absolute, or a URL.
        listed: the listing's entry of a file behind a URL, which can't be queried when it is read.
        size_bytes: as listed, 0 when it is unknown.
        blake3: previous hash of a file that is reread although only its ctime changed, or because all files are
            reread.
    """

    root_id: int
    relative_path: str
    path: str
    listed: "FoundImage | None" = None
    blake3: bytes | None = None
    size_bytes: int = 0


def take_list(waiting: deque[Task], count: int) -> list[Task]:
    """Take the next files to read together from a queue: up to `count` of at least 1, fewer when they are large."""
    tasks = [waiting.popleft()]
    size_bytes = tasks[0].size_bytes
    while waiting and len(tasks) < count:
        size_bytes += waiting[0].size_bytes
        if size_bytes > _MAX_LIST_BYTES:
            break
        tasks.append(waiting.popleft())
    return tasks


@dataclass(slots=True)
class ReadPicture:
    """Result of reading a file; not frozen, so that its crop can be dropped.

    Attributes:
        outcome: decoded: `crop` and `metadata` are set. stored: this content already has an embedding.
            duplicate: another file of this run with the same content is in flight and is processed first.
            failed: see `reason`.
        stamp: of the file when it was opened; all 0 when it could not be opened.
        blake3: of the whole content, None when it could not be read.
        crop: uint8 (height, width, 3).
        metadata: of a decoded picture, and of a stored one that was decoded for its measures.
        parts, part_crops: as in `Decoded`.
        reason: short reason of a failure.
        is_lasting: the failure is due to the file itself or a limit: no retry until the file changes or the limit is
            raised.
        limit: as in `ImageReadError`.
    """

    task: Task
    outcome: Outcome
    stamp: FileStamp = NO_STAMP
    blake3: bytes | None = None
    crop: NDArray[np.uint8] | None = None
    metadata: ImageMetadata | None = None
    parts: Parts = ()
    part_crops: NDArray[np.uint8] | None = None
    reason: str = ""
    is_lasting: bool = False
    limit: tuple[str, float] | None = None

    @property
    def size_bytes(self) -> int:
        return self.stamp.size_bytes

    @property
    def is_unchanged(self) -> bool:
        """Whether the content is the file's previous one."""
        return self.blake3 is not None and self.blake3 == self.task.blake3


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class ReadFiles:
    """Results of reading a list of files, in its order.

    Attributes:
        release: call it when no crop of them is used any more.
        seconds: time that reading took.
    """

    pictures: list[ReadPicture]
    release: Callable[[], None] = _nothing
    seconds: float = 0.0


class PictureReader:
    """Reads files from several threads. Thread-safe; each new content is decoded once, however many files have it."""

    def __init__(
        self,
        preprocess: Preprocess,
        *,
        find_stored: Callable[[Sequence[bytes]], Container[bytes]],
        find_unmeasured: Callable[[Sequence[bytes]], Container[bytes]] | None = None,
        open_list: OpenLists | None = None,
        max_bytes: int | None = None,
        detail: bool = False,
    ) -> None:
        """Configure the reader.

        Args:
            preprocess: of the model that the pictures are for.
            find_stored: returns, from any thread, which of some contents (their blake3) already have an embedding.
            find_unmeasured: returns likewise which stored contents lack their measures: these are decoded for them
                alone; None: none does.
            open_list: opens files; None: in this process.
            max_bytes: larger files are not read; None: no limit.
            detail: as in `LocalPicture`, of files that are opened in this process.
        """
        self._max_bytes = max_bytes
        self._open = open_list or partial(reading.open_list, spec=preprocess, detail=detail)
        self._find_stored = find_stored
        self._find_unmeasured = find_unmeasured
        self._lock = threading.Lock()
        # Contents seen in this run, and their outcome: None while in flight.
        self._outcomes: dict[bytes, ReadPicture | Literal["stored"] | None] = {}

    def read(self, task: Task) -> ReadPicture:
        """Read a file; errors of the file are returned, never raised."""
        found = self.read_list([task])
        [picture] = found.pictures
        if picture.crop is not None:
            picture = replace(picture, crop=picture.crop.copy())
        found.release()
        return picture

    def read_list(self, tasks: Sequence[Task]) -> ReadFiles:
        """Read files together, which costs less than one by one; errors of a file are returned, never raised."""
        start = perf_counter()
        found: list[ReadPicture | None] = [self._check_size(task) for task in tasks]
        rows = [row for row, picture in enumerate(found) if picture is None]
        release = _nothing
        if rows:
            try:
                with self._open([tasks[row].path for row in rows]) as opened:
                    release = opened.release
                    for row, picture in zip(rows, self._decode([tasks[row] for row in rows], opened), strict=True):
                        found[row] = picture
            except BaseException:
                release()
                raise
        return ReadFiles([picture for picture in found if picture is not None], release, perf_counter() - start)

    def _check_size(self, task: Task) -> ReadPicture | None:
        if self._max_bytes is None or 0 < task.size_bytes <= self._max_bytes:  # no look-up for most files
            return None
        if is_film(suffix_of(task.path)):  # it is read in pieces
            return None
        try:
            status = os.stat(task.path)  # noqa: PTH116
        except OSError as error:
            return _unread(task, error)
        if status.st_size > self._max_bytes:
            return too_large_to_read(task, stamp_of(status), max_bytes=self._max_bytes)
        return None

    def _decode(self, tasks: Sequence[Task], opened: OpenList) -> list[ReadPicture]:
        found: list[ReadPicture | None] = []
        new: dict[bytes, int] = {}
        with self._lock:
            for row, (task, file) in enumerate(zip(tasks, opened.files, strict=True)):
                if isinstance(file, Exception):
                    found.append(_unread(task, file))
                elif file[1] in self._outcomes:
                    found.append(ReadPicture(task, "duplicate", *file))
                else:
                    self._outcomes[file[1]] = None
                    new[file[1]] = row
                    found.append(None)
        digests = list(new)
        stored = self._find_stored(digests) if digests else ()
        known = [digest for digest in digests if digest in stored]
        self.mark_stored(known)
        unmeasured = self._find_unmeasured(known) if known and self._find_unmeasured is not None else ()
        wanted = [digest for digest in digests if digest not in stored or digest in unmeasured]
        decoded = dict(zip(wanted, opened.decode([new[digest] for digest in wanted]), strict=True)) if wanted else {}
        for digest, row in new.items():
            found[row] = self._result(tasks[row], opened.files[row], decoded.get(digest), is_stored=digest in stored)
        return [picture for picture in found if picture is not None]

    def _result(self, task: Task, file: Any, decoded: Any, *, is_stored: bool) -> ReadPicture:
        stamp, digest = file
        if is_stored:  # a picture that can't be decoded any more stays without its measures
            metadata = decoded[1] if isinstance(decoded, tuple) else None
            return ReadPicture(task, "stored", stamp, digest, metadata=metadata)
        if isinstance(decoded, tuple):
            return ReadPicture(task, "decoded", stamp, digest, *decoded)
        failed = ReadPicture(
            task,
            "failed",
            stamp,
            digest,
            reason=str(decoded) or "not enough memory to decode it",
            is_lasting=isinstance(decoded, ImageReadError) and not isinstance(decoded, TransientReadError),
            limit=getattr(decoded, "limit", None),
        )
        with self._lock:
            self._outcomes[digest] = failed
        return failed

    def mark_stored(self, digests: Iterable[bytes]) -> None:
        with self._lock:
            self._outcomes.update(dict.fromkeys(digests, "stored"))

    def outcome(self, duplicate: ReadPicture) -> ReadPicture | None:
        """Return the outcome of a duplicate: "stored" or "failed" like its content; None while it is in flight."""
        with self._lock:
            found = self._outcomes[duplicate.blake3] if duplicate.blake3 is not None else None
        if found == "stored":
            return replace(duplicate, outcome="stored")
        if found is None:
            return None
        return replace(duplicate, outcome="failed", reason=found.reason, is_lasting=found.is_lasting, limit=found.limit)


def _unread(task: Task, error: Exception) -> ReadPicture:
    """Return the result for a file that can't be read."""
    if isinstance(error, FileNotFoundError):
        return ReadPicture(task, "failed", reason="deleted before it could be read")
    reason = getattr(error, "strerror", None) or str(error)
    return ReadPicture(task, "failed", reason=reason or "not enough memory to read it")


def too_large_to_read(task: Task, stamp: FileStamp, *, max_bytes: int) -> ReadPicture:
    """Return the result for a file that exceeds `max_bytes`."""
    error = too_many_bytes(stamp.size_bytes, max_bytes)
    return ReadPicture(task, "failed", stamp, reason=str(error), is_lasting=True, limit=error.limit)
