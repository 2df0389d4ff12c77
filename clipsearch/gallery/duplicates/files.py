"""Verify the current state of files, which may have changed since they were indexed."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from clipsearch.images.file_stamp import stamp_of
from clipsearch.images.reading import hash_file
from clipsearch.notices import notify
from clipsearch.quantities import count
from clipsearch.store import IndexedFile


def present(files: Iterable[IndexedFile]) -> list[IndexedFile]:
    """Return the files whose size and time are unchanged since indexing, sorted by path, without links.

    Deleting all but the first file of a group must not lose the picture: a missing or changed file is not a copy to
    keep, and a symbolic or hard link breaks or frees nothing when its target is deleted.
    """
    found: dict[object, IndexedFile] = {}
    left_out = 0
    for file in files:
        try:
            status = os.stat(file.path)  # noqa: PTH116 (called for every file of the catalog)
        except (OSError, ValueError):
            left_out += 1
            continue
        if stamp_of(status)[:2] != (file.size_bytes, file.mtime_ns):
            left_out += 1
            continue
        # Some file systems have no inode numbers.
        key = (status.st_dev, status.st_ino) if status.st_ino else file.path
        other = found.get(key)
        if other is None or (os.path.islink(other.path) and not os.path.islink(file.path)):  # noqa: PTH114
            found[key] = file
    notice_left_out(left_out, stacklevel=5)
    return sorted(found.values())


def unchanged(
    paths: Mapping[int, Sequence[str]],
    digests: Mapping[int, bytes],
    *,
    workers: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[int, list[str]]:
    """Return the paths, by content id, whose files still have that content; reads each file whole.

    Args:
        digests: blake3 of each content.
        on_progress: called with (files read, files to read).
    """
    every = [(content_id, path) for content_id, files in paths.items() for path in files]
    verified: dict[int, list[str]] = {content_id: [] for content_id in paths}
    changed = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="clipsearch") as pool:
        found = pool.map(lambda each: _digest(each[1]), every)
        for done, ((content_id, path), digest) in enumerate(zip(every, found, strict=True), 1):
            if digest == digests[content_id]:
                verified[content_id].append(path)
            else:
                changed += 1
            if on_progress is not None:
                on_progress(done, len(every))
    notice_left_out(changed, stacklevel=5)
    return verified


def notice_left_out(number: int, *, stacklevel: int) -> None:
    if number:
        changed = count(number, "file has", "files have")
        notify(f"{changed} changed or disappeared since the last 'clipsearch index': skipped")


def _digest(path: str) -> bytes | None:
    try:
        return hash_file(path)[1]
    except OSError:
        return None
