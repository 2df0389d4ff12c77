"""Follow edited files: what users have said of a picture holds for it after a change of its pixels or its metadata.

An edited file has another content. It is taken for the same picture where its date and camera, or its perceptual hash,
stay, if need be after a quarter turn: a name such as IMG_0001.jpg may be given to another picture.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, delete, exists, select, update

from clipsearch.store import tables
from clipsearch.store.backends.base import chunks

# Bits of 64 in which the perceptual hashes of a picture before and after an edit may differ: as of copies, see
# `gallery.duplicates.candidates`.
_MOST_BITS = 12

# Tables with what users have said of contents, with the column of what they have said.
_SAID = ((tables.album_members, "album_id"), (tables.concept_examples, "concept_id"))


def follow_edits(connection: Connection, edits: Iterable[tuple[int, int]]) -> None:
    """Put edited pictures in the place of what they were, in albums and among the examples of concepts.

    Where a file has the former content still, both are there.

    Args:
        edits: ids of the contents of files before and now, which differ; `files` has the new ones. No other file has
            had these.
    """
    changed: dict[int, list[int]] = {}
    for before, now in edits:
        if now not in changed.setdefault(before, []):
            changed[before].append(now)
    if not changed or not any(connection.execute(select(exists().select_from(table))).scalar() for table, _ in _SAID):
        return
    said = {number for table, _ in _SAID for number in _those_in(connection, table, list(changed))}
    same = _same_pictures(connection, {before: changed[before] for before in sorted(said)})
    file = tables.files
    for before, all_now in same.items():
        is_left = connection.execute(
            select(exists().where(file.c.content_id == before, file.c.removed_at.is_(None)))
        ).scalar()
        for place, now in enumerate(all_now, start=1):
            for table, key in _SAID:
                _replace(connection, table, key, before, now, is_left=bool(is_left) or place < len(all_now))


def _those_in(connection: Connection, table: Table, content_ids: list[int]) -> set[int]:
    found: set[int] = set()
    for chunk in chunks(content_ids):
        found.update(connection.execute(select(table.c.content_id).where(table.c.content_id.in_(chunk))).scalars())
    return found


def _same_pictures(connection: Connection, changed: Mapping[int, Sequence[int]]) -> dict[int, list[int]]:
    """Return the edits that have left a picture the same: several where copies were edited in different ways."""
    content = tables.contents
    columns = (content.c.content_id, content.c.taken_at, content.c.camera, content.c.phash)
    known: dict[int, Any] = {}
    for chunk in chunks(sorted({*changed, *(now for all_now in changed.values() for now in all_now)})):
        known |= {row.content_id: row for row in connection.execute(select(*columns).where(columns[0].in_(chunk)))}
    same = {
        before: [now for now in all_now if now in known and _is_same(known[before], known[now])]
        for before, all_now in changed.items()
        if before in known
    }
    return {before: all_now for before, all_now in same.items() if all_now}


def _is_same(before: Any, now: Any) -> bool:
    if before.taken_at is not None and (before.taken_at, before.camera) == (now.taken_at, now.camera):
        return True
    if not before.phash or not now.phash:  # unknown, or of one colour, as many are
        return False
    from clipsearch.images.perceptual_hash import turned  # loads Pillow

    hashes = np.array([before.phash, now.phash], dtype=np.int64).view(np.uint64)
    distances = [np.bitwise_count(turned(hashes[:1], quarters) ^ hashes[1:])[0] for quarters in range(4)]
    return int(min(distances)) <= _MOST_BITS


def _replace(connection: Connection, table: Table, key: str, before: int, now: int, *, is_left: bool) -> None:
    """Let one content have what another has in a table; `is_left`: besides it."""
    other = table.alias()
    is_there = exists().where(other.c[key] == table.c[key], other.c.content_id == now)
    if is_left:
        rows = connection.execute(select(table).where(table.c.content_id == before, ~is_there)).mappings().all()
        own = next(iter(table.primary_key.columns)).name
        copies = [{name: value for name, value in row.items() if name != own} | {"content_id": now} for row in rows]
        if copies:
            connection.execute(table.insert(), copies)
        return
    connection.execute(update(table).where(table.c.content_id == before, ~is_there).values(content_id=now))
    connection.execute(delete(table).where(table.c.content_id == before))
