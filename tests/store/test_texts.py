"""Text that was read in pictures, in SQL."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from clipsearch.ocr.lines import TextLine
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.recovery.integrity import check_values
from clipsearch.store.recovery.row_repair import repair_rows
from clipsearch.store.recovery.salvage import salvage
from clipsearch.store.texts import ReadText
from clipsearch.types import ImageMetadata
from tests.support.stores import make_store, store

__all__ = ["make_store", "store"]

LINES = (TextLine("Total 4.50", 0.99, (0.1, 0.2, 0.3, 0.4)), TextLine("第一章", 0.98, (0.1, 0.5, 0.3, 0.6), page=2))


def damage(directory, statement):
    with closing(sqlite3.connect(directory / DATABASE_NAME)) as connection, connection:
        connection.execute(statement)


def fill(store, count=3):
    scope = store.roots.add("/photos")
    model_id = store.models.add(name="m", fingerprint="ab" * 32, dim=4).model_id
    digests = [number.to_bytes(32, "big") for number in range(1, count + 1)]
    contents = [
        ContentRecord(digest, 10, ImageMetadata(4, 3, "JPEG", None), np.eye(4, dtype=np.float32)[0])
        for digest in digests
    ]
    files = [FileRecord(scope.root_id, f"{number}.jpg", 10, 0, digest) for number, digest in enumerate(digests)]
    store.pictures.record(contents, files, model_id=model_id)
    return scope


def test_what_is_read_is_not_read_again(store):
    fill(store)
    assert store.texts.to_read() == [1, 2, 3] and store.texts.count() == (0, 0)
    store.texts.record([ReadText(1, LINES), ReadText(3, ()), ReadText(77, LINES)], reader="a")
    assert store.texts.to_read() == [2] and store.texts.count() == (2, 1)
    store.texts.read_all_again()
    assert store.texts.to_read() == [1, 2, 3] and store.texts.count() == (2, 1)
    assert store.written_rows.some([1])[1].lines == LINES
    assert store.column_rows.with_text() == store.column_rows.with_text([1, 2, 3]) == [(1, True, None)]


def test_other_models_replace_what_was_read_and_changes_are_told(store):
    fill(store)
    store.texts.record([ReadText(1, LINES)], reader="a")
    last = store.column_rows.state().last_change
    store.texts.record([ReadText(1, ()), ReadText(2, LINES[:1])], reader="b")
    assert store.texts.count() == (2, 1) and store.texts.to_read() == [3]
    assert sorted(store.column_rows.changed_after(last)) == [1, 2]
    assert store.written_rows.some([1, 2])[2].lines == LINES[:1]


def test_removed_files_are_not_read_and_garbage_goes(store):
    scope = fill(store)
    store.texts.record([ReadText(1, LINES), ReadText(2, LINES)], reader="a")
    ids = {path: number for rows in store.column_rows.files() for number, _, _, path in rows}
    store.pictures.remove_files([ids[b"0.jpg"], ids[b"2.jpg"]])
    store.texts.read_all_again()
    assert store.texts.to_read() == [2]
    store.garbage.delete()
    assert store.texts.count() == (1, 1) and scope.root_id


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO texts (content_id, reader, lines) VALUES (77, 'a', '')",
        "UPDATE texts SET lines = x'ff00'",
        "UPDATE texts SET reader = 7",
    ],
)
def test_damaged_rows_are_repaired(tmp_path, statement):
    with Store(tmp_path, create=True) as store:
        fill(store)
        store.texts.record([ReadText(1, LINES)], reader="a")
    damage(tmp_path, statement)
    repair_rows(tmp_path / DATABASE_NAME)
    check_values(tmp_path / DATABASE_NAME)
    with Store(tmp_path) as store:
        assert set(store.texts.to_read()) >= {2, 3}
        assert all(number in (1, 2, 3) for number, _, _ in store.column_rows.with_text())


@pytest.mark.parametrize("lines", ["[", "[[]]", '[["x",2,0,0,1,1]]', "7"])
def test_damaged_lines_are_no_lines(tmp_path, lines):
    with Store(tmp_path, create=True) as store:
        fill(store)
        store.texts.record([ReadText(1, LINES)], reader="a")
    damage(tmp_path, f"UPDATE texts SET lines = '{lines}'")
    with Store(tmp_path) as store:
        assert store.written_rows.some([1])[1].lines == ()


def test_texts_of_a_damaged_catalog_are_saved(tmp_path):
    with Store(tmp_path / "old", create=True) as store:
        fill(store)
        store.texts.record([ReadText(1, LINES), ReadText(2, ())], reader="a")
    fresh = tmp_path / "fresh.sqlite3"
    fresh.touch()
    assert salvage(tmp_path / "old" / DATABASE_NAME, fresh)["texts"] == 2
