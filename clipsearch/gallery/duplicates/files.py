"""Files as they are now, whatever the catalog says."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from clipsearch.images.file_stamp import stamp_of
from clipsearch.images.reading import hash_file
from clipsearch.notices import notify
from clipsearch.quantities import count
from clipsearch.store import IndexedFile


def present(files: Iterable[IndexedFile]) -> list[IndexedFile]:
    """The files that seem to be as they were when they were indexed, sorted by path, each under one name: whoever
    deletes all but the first of a group must not lose the picture by it.

    A file that is gone, or holds something else by now, is nothing to keep; and a link, or a second name, is gone or
    frees nothing when the file itself is deleted.
    """
    found: dict[object, IndexedFile] = {}
    left_out = 0
    for file in files:
        try:
            status = os.stat(file.path)  # noqa: PTH116 (once for each file of the catalog)
        except (OSError, ValueError):
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
    notice_left_out(left_out, stacklevel=5)
    return sorted(found.values())


def unchanged(
    paths: Mapping[int, Sequence[str]],
    digests: Mapping[int, bytes],
    *,
    workers: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[int, list[str]]:
    """Those of the paths, by content id, that hold that content at this moment: each file is read whole.

    Args:
        digests: blake3 of each content.
        on_progress: called with (files read, files to read).
    """
    every = [(content_id, path) for content_id, its in paths.items() for path in its]
    kept: dict[int, list[str]] = {content_id: [] for content_id in paths}
    changed = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="clipsearch") as pool:
        found = pool.map(lambda each: _digest(each[1]), every)
        for done, ((content_id, path), digest) in enumerate(zip(every, found, strict=True), 1):
            if digest == digests[content_id]:
                kept[content_id].append(path)
            else:
                changed += 1
            if on_progress is not None:
                on_progress(done, len(every))
    notice_left_out(changed, stacklevel=5)
    return kept


def notice_left_out(number: int, *, stacklevel: int) -> None:
    if number:
        notify(f"{count(number, 'file has', 'files have')} changed or gone since the last 'clipsearch index': left out")


def _digest(path: str) -> bytes | None:
    try:
        return hash_file(path)[1]
    except OSError:
        return None
