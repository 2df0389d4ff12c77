"""Whatever filters see is numbered when it changes, so that columns can follow."""

import contextlib
import os
import sqlite3
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from clipsearch.store import ContentRecord, FileRecord, Scope
from clipsearch.store.column_rows import ColumnReader
from clipsearch.store.records import StoredColumnFile
from clipsearch.types import ImageMetadata

FOLDER = os.path.abspath(os.sep + "photos")


def content(number: int, **metadata) -> ContentRecord:
    metadata = {"width": 4, "height": 3, "format": "JPEG", **metadata}
    return ContentRecord(number.to_bytes(32, "big"), 100, ImageMetadata(**metadata), np.ones(1, dtype=np.float32))


@pytest.fixture
def filled(store):
    """Three contents, the first of them in two files, and the numbers of contents that change after each step."""
    model_id = store.models.add(name="m", fingerprint="0" * 64, dim=1).model_id
    root_id = store.roots.add(FOLDER).root_id
    files = [
        FileRecord(root_id, name, 1, 0, number.to_bytes(32, "big"), None)
        for name, number in (("a.jpg", 1), ("b/a.jpg", 1), ("b/b.jpg", 2), ("c.jpg", 3))
    ]
    store.pictures.record([content(number) for number in (1, 2, 3)], files, model_id=model_id)
    return store, model_id, root_id


class Follower:
    def __init__(self, reader: ColumnReader) -> None:
        self.reader = reader
        self.last = reader.state().last_change

    def changed(self) -> list[int]:
        before, self.last = self.last, self.reader.state().last_change
        return sorted(self.reader.changed_after(before))


def test_every_change_of_a_content_or_its_files_is_found_by_its_number(filled):
    store, model_id, root_id = filled
    assert sorted(store.column_rows.changed_after(0)) == [1, 2, 3]
    follower = Follower(store.column_rows)
    assert follower.changed() == []

    store.pictures.record([content(4)], [FileRecord(root_id, "d.jpg", 1, 0, (4).to_bytes(32, "big"), None)], model_id=1)
    assert follower.changed() == [4]
    # A file gets another content: both have changed.
    store.pictures.record([], [FileRecord(root_id, "c.jpg", 2, 0, (2).to_bytes(32, "big"), None)], model_id=model_id)
    assert follower.changed() == [2, 3]
    # A file can't be read any more.
    store.pictures.record([], [FileRecord(root_id, "d.jpg", 3, 0, None, "damaged")], model_id=model_id)
    assert follower.changed() == [4]
    ids = {path: known.file_id for path, known in store.pictures.known_files(Scope(root_id, FOLDER, ""), NAMES).items()}
    store.pictures.remove_files([ids["b/a.jpg"]])
    assert follower.changed() == [1]
    store.pictures.restore_files([ids["b/a.jpg"]])
    assert follower.changed() == [1]
    store.pictures.set_measures({(3).to_bytes(32, "big"): ImageMetadata(4, 3, "JPEG", sharpness=1, brightness=2)})
    assert follower.changed() == [3]
    store.pictures.record([content(1, sharpness=7, brightness=8)], [], model_id=model_id)
    assert follower.changed() == [1]
    store.pictures.record([content(1, sharpness=9, brightness=9)], [], model_id=model_id)
    assert follower.changed() == [], "its measures stay"
    assert store.pictures.forget([Scope(root_id, FOLDER, "b")], dry_run=True) == (2, 0)
    assert follower.changed() == []
    store.pictures.forget([Scope(root_id, FOLDER, "b")])
    assert follower.changed() == [1, 2]
    assert follower.reader.state().stale_before == 0


def test_new_files_in_one_batch_with_known_ones(filled):
    """Changed are the contents that any of them has now, and those that the known ones had."""
    store, model_id, root_id = filled

    def record(number: int | None, **files: int | None) -> None:
        store.pictures.record(
            [] if number is None else [content(number)],
            [
                FileRecord(root_id, f"{name}.jpg", 9, 0, None if has is None else has.to_bytes(32, "big"))
                for name, has in files.items()
            ],
            model_id=model_id,
        )

    follower = Follower(store.column_rows)
    record(5, new=5, a=5, other=3)
    assert follower.changed() == [1, 3, 4]  # the fourth content has blake3 5
    record(None, newer=2)
    assert follower.changed() == [2]
    record(None, newest=None, c=None)
    assert follower.changed() == [3]
    record(None, a=5)
    assert follower.changed() == [4], "it may have another size or date"
    names = [f"{name}.jpg" for name in ("new", "a", "other", "newer", "newest", "c")]
    known = store.pictures.known_files(Scope(root_id, FOLDER, ""), names)
    assert [known[name].content_id for name in names] == [4, 4, 3, 2, None, None]
    assert len({each.file_id for each in known.values()}) == len(names)


NAMES = ["a.jpg", "b/a.jpg", "b/b.jpg", "c.jpg", "d.jpg"]


def test_a_folder_that_becomes_part_of_another_makes_columns_stale(filled):
    store, *_ = filled
    before = store.column_rows.state()
    store.roots.add(os.path.dirname(FOLDER))
    state = store.column_rows.state()
    assert state.stale_before == state.last_change > before.last_change


def test_the_file_of_columns_is_recorded_for_each_machine(store):
    assert store.column_rows.find_file() is None
    for count in (3, 4):
        file = StoredColumnFile("0" * 63 + str(count), count, 17)
        store.column_files.set(file)
        assert store.column_rows.find_file() == file
    assert ColumnReader(store.connection, machine="another").find_file() is None


def test_rows_are_of_one_moment_and_whole(filled):
    store, model_id, root_id = filled
    taken = datetime(2024, 1, 2, 3, 4, 5)
    with store.column_rows.at_one_moment() as reader:
        assert reader.state() == store.column_rows.state()
        store.pictures.record([content(4, taken_at=taken, camera="X")], [], model_id=model_id)
        assert reader.state() != store.column_rows.state()
        (rows,) = reader.contents()
        assert [row[0] for row in rows] == [1, 2, 3]
        (files,) = reader.files()
        assert [row[1:] for row in files] == [
            (1, root_id, b"a.jpg"), (1, root_id, b"b/a.jpg"), (2, root_id, b"b/b.jpg"), (3, root_id, b"c.jpg"),
        ]  # fmt: skip
    (rows,) = store.column_rows.some_contents([4, 99])
    (row,) = rows
    texts = [value.decode() if isinstance(value, bytes) else str(value) for value in (row[4], row[5], row[7])]
    assert (row[:4], texts[::2], row[8:]) == ((4, 100, 4, 3), ["JPEG", "X"], (None,) * 6)
    assert texts[1].startswith("2024-01-02 03:04:05")
    assert [[file[1] for file in part] for part in store.column_rows.files_of([1, 4])] == [[1, 1]]


def test_a_number_of_a_change_that_is_none_is_repaired(tmp_path: Path):
    from clipsearch.errors import StoreError
    from clipsearch.store import Store
    from clipsearch.store.backends.connection import DATABASE_NAME
    from clipsearch.store.recovery.row_repair import repair_rows

    Store(tmp_path, create=True).close()
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        connection.execute("UPDATE catalog SET last_change = 'many'")
        connection.commit()
    with Store(tmp_path) as store, pytest.raises(StoreError, match=r"'many' as number of a change.*doctor --fix"):
        store.column_rows.state()
    repair_rows(tmp_path / DATABASE_NAME)
    with Store(tmp_path) as store:
        state = store.column_rows.state()
        assert state.stale_before == state.last_change > 1_000_000
