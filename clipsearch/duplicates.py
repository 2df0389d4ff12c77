"""Pictures that are there more than once: the same content in several files, or nearly the same picture."""

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.catalog_parts import CatalogParts
from clipsearch.errors import ClipSearchNotice, InputError, QueryError
from clipsearch.stamps import stamp_of
from clipsearch.store import IndexedFile

# Two pictures are nearly the same when their distance (1 - cosine) is at most this share of what is usual between two
# pictures of the catalog: that differs from model to model. `python -m tests.benchmarks.duplicates` measures what it
# finds, and what it takes for the same wrongly.
_NEAR_SHARE = 0.15

# For catalogs of very few pictures, or of hardly anything but copies.
_LEAST_THRESHOLD, _MOST_THRESHOLD = 0.85, 0.95

# Rows whose cosines to each other are looked at: their median is known to 0.001.
_SAMPLE_ROWS = 512


@dataclass(frozen=True, slots=True)
class DuplicatePicture:
    """A file in a group of pictures that are the same, exactly or nearly.

    Attributes:
        path: absolute.
        content_id: the catalog's number; equal ones are the very same content.
        width, height: of the upright picture.
        size_bytes: of the file.
        score: cosine to the first of the group, 1 for that one.
    """

    path: str
    content_id: int
    width: int
    height: int
    size_bytes: int
    score: float


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Files that show the same, two at least; the first has the most pixels, then the most bytes."""

    pictures: tuple[DuplicatePicture, ...]

    @property
    def spare_bytes(self) -> int:
        """Of all but the first."""
        return sum(picture.size_bytes for picture in self.pictures[1:])


def find_duplicates(
    folders: Sequence[str],
    parts: CatalogParts,
    *,
    threshold: float | None = None,
    exact_only: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[DuplicateGroup]:
    """Arguments, result and errors as in `Catalog.duplicates`."""
    if threshold is not None and not 0 < threshold <= 1:
        raise QueryError(f"threshold lies between 0 and 1, got {threshold}")
    parts.require_pictures()
    paths: dict[int, list[str]] = {}
    for file in _present(_files_below(folders, parts)):
        paths.setdefault(file.content_id, []).append(file.path)
    details = parts.store.reader.measures(list(paths))
    # Best first: most pixels, then most bytes. Whoever keeps the first of a group keeps the best.
    order = sorted(paths, key=lambda each: (-details[each][0] * details[each][1], -details[each][2], paths[each][0]))
    ids = np.array(order, dtype=np.int64)
    leaders, scores = np.arange(len(ids)), np.ones(len(ids), dtype=np.float32)
    if not exact_only:
        least = default_threshold(parts.index("images").sample(_SAMPLE_ROWS)) if threshold is None else threshold
        leaders, scores = _follow(ids, parts, least, on_progress)
    groups: dict[int, list[DuplicatePicture]] = {}
    for row, (content_id, leader) in enumerate(zip(order, leaders.tolist(), strict=True)):
        width, height, size_bytes = details[content_id]
        groups.setdefault(leader, []).extend(
            DuplicatePicture(path, content_id, width, height, size_bytes, float(scores[row]))
            for path in paths[content_id]
        )
    found = [DuplicateGroup(tuple(pictures)) for pictures in groups.values() if len(pictures) > 1]
    return sorted(found, key=lambda group: (-group.spare_bytes, group.pictures[0].path))


def _files_below(folders: Sequence[str], parts: CatalogParts) -> list[IndexedFile]:
    """
    Raises:
        InputError: nothing below one of the folders was indexed.
    """
    files = parts.store.reader.files_below(folders)
    for folder in folders:
        start = folder.rstrip(os.sep) + os.sep
        if not any(file.path.startswith(start) for file in files):
            raise InputError(f"no picture below {folder} is in the catalog: clipsearch index FOLDER")
    return files


def _present(files: Iterable[IndexedFile]) -> list[IndexedFile]:
    """The files that are as they were when they were indexed, sorted by path, each under one name: whoever deletes all
    but the first of a group must not lose the picture by it.

    A file that is gone, or holds something else by now, is nothing to keep; and a link, or a second name, is gone or
    frees nothing when the file itself is deleted.
    """
    found: dict[object, IndexedFile] = {}
    left_out = 0
    for file in files:
        try:
            status = os.stat(file.path)  # noqa: PTH116 (once for each file of the catalog)
        except OSError:
            left_out += 1
            continue
        if stamp_of(status)[:2] != (file.size_bytes, file.mtime_ns):
            left_out += 1
            continue
        # Some file systems number no files.
        key = (status.st_dev, status.st_ino) if status.st_ino else file.path
        other = found.get(key)
        if other is None or (os.path.islink(other.path) and not os.path.islink(file.path)):  # noqa: PTH114
            found[key] = file
    if left_out:
        have = "file has" if left_out == 1 else "files have"
        warnings.warn(
            f"{left_out:,} {have} changed or gone since the last 'clipsearch index': left out",
            ClipSearchNotice,
            stacklevel=4,
        )
    return sorted(found.values())


def default_threshold(sample: NDArray[np.float32]) -> float:
    """The cosine from which two pictures are nearly the same; sample (n, dim): embeddings of the catalog."""
    if len(sample) < 2:
        return _MOST_THRESHOLD
    usual = float(np.median((sample @ sample.T)[np.triu_indices(len(sample), 1)]))
    return min(max(1 - _NEAR_SHARE * (1 - usual), _LEAST_THRESHOLD), _MOST_THRESHOLD)


def _follow(
    ids: NDArray[np.int64],
    parts: CatalogParts,
    threshold: float,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Of each row the one it follows, itself when it is the first of its group; and the cosine of the two.

    Each row follows the first one that leads a group and is near to it. So none is far from the one that is kept, as
    it can be when groups are chains of neighbours.
    """
    leaders, scores = np.arange(len(ids)), np.ones(len(ids), dtype=np.float32)
    for pairs in parts.index("images").pairs_above(threshold, ids, on_progress=on_progress):
        # Pairs come in an order in which it is settled by now whether the first of them leads.
        is_open = (leaders[pairs.second] == pairs.second) & (leaders[pairs.first] == pairs.first)
        columns = (part[is_open].tolist() for part in (pairs.first, pairs.second, pairs.scores))
        for first, second, score in zip(*columns, strict=True):
            if leaders[first] == first and leaders[second] == second:
                leaders[second], scores[second] = first, score
    return leaders, scores
