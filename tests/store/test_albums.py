"""Albums and saved searches in SQL: checked, repaired, salvaged, and added to older catalogs."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from clipsearch.errors import CatalogBusyError, StoreError
from clipsearch.store import Store
from clipsearch.store.backends import connection as connections
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.migrate import current_revision
from clipsearch.store.recovery.row_repair import repair_rows
from clipsearch.store.recovery.salvage import salvage


@pytest.fixture
def old(tmp_path):
    """A catalog of the first schema, with three contents."""
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        connection.executescript((Path(__file__).parent / "schema_0001.sql").read_text(encoding="utf-8"))
    return tmp_path


@pytest.fixture
def store(old):
    with Store(old) as opened:
        yield opened


def test_a_catalog_of_before_has_albums_and_saved_searches_after_a_backup(old):
    with Store(old) as store:
        assert store.backup is not None and current_revision(store.backup) == "0001"
        assert store.album_rows.list_all() == [] and store.saved_searches.list_all() == []
        assert store.albums.add("Sea", [3, 1], key=str.lower) == ("Sea", 2)
        store.saved_searches.set("blue", "blue album:sea", replace=True)
    with Store(old) as store:
        assert store.backup is None
        assert store.album_rows.members("Sea") == [3, 1]
        assert store.saved_searches.find("blue").query == "blue album:sea"


def test_contents_are_in_an_album_once_in_the_order_they_were_added(store):
    assert store.albums.add("b", [3, 1, 3, 99], key=str.lower) == ("b", 2)
    assert store.albums.add("a", [1], key=str.lower) == ("a", 1)
    assert store.albums.add("B", [2, 1], key=str.lower) == ("b", 1)
    assert [(album.name, album.count) for album in store.album_rows.list_all()] == [("a", 1), ("b", 3)]
    assert store.album_rows.members("b") == [3, 1, 2] and store.album_rows.members("none") == []
    assert store.album_rows.albums_of([1, 2, 77]) == {1: ["a", "b"], 2: ["b"]}
    assert store.albums.remove("b", [1, 99]) == 1
    assert store.albums.rename("b", "A", key=str.lower) == "a"
    assert store.albums.rename("b", "c", key=str.lower) is None
    assert store.album_rows.members("c") == [3, 2] and store.album_rows.members("a") == [1]
    store.albums.delete("c")
    assert store.album_rows.names() == ["a"]


def test_what_was_reported_of_a_search_only_grows(store):
    store.saved_searches.set("x", "red", replace=True)
    assert store.saved_searches.find("x").reported_id is None
    for content_id, expected in ((5, 5), (3, 5), (7, 7)):
        store.saved_searches.set_reported("x", content_id)
        assert store.saved_searches.find("x").reported_id == expected
    assert not store.saved_searches.set("x", "green", replace=False)
    store.saved_searches.set("x", "blue", replace=True)  # another search
    assert store.saved_searches.find("x").reported_id is None
    assert store.saved_searches.remove("x") and not store.saved_searches.remove("x")


def test_contents_that_are_deleted_leave_their_albums(store):
    store.albums.add("a", [1, 2, 3], key=str.lower)
    report = store.garbage.delete()  # one of the three has no file
    assert report.pictures == 1
    assert len(store.album_rows.members("a")) == 2


def test_invalid_rows_are_repaired(store, old):
    store.albums.add("a", [1, 2], key=str.lower)
    store.saved_searches.set("x", "red", replace=True)
    store.close()
    with closing(sqlite3.connect(old / DATABASE_NAME)) as connection:
        for statement in (
            "INSERT INTO album_members (album_id, content_id) VALUES (77, 1), (1, 77)",
            "INSERT INTO albums (name, created_at) VALUES (CAST(x'fe' AS TEXT), 'nonsense')",
            "INSERT INTO saved_searches (name, query, created_at) VALUES ('y', CAST(x'ff' AS TEXT), 'nonsense')",
            "UPDATE saved_searches SET reported_id = 'nonsense' WHERE name = 'x'",
        ):
            connection.execute(statement)
        connection.commit()
    repair_rows(old / DATABASE_NAME)
    with Store(old) as again:
        assert again.album_rows.names() == ["a"] and again.album_rows.members("a") == [1, 2]
        (found,) = again.saved_searches.list_all()
    assert (found.name, found.query, found.reported_id) == ("x", "red", None)


def test_albums_of_a_damaged_catalog_are_saved(store, old, tmp_path):
    store.albums.add("a", [2, 1], key=str.lower)
    store.saved_searches.set("x", "red", replace=True)
    store.close()
    fresh = tmp_path / "fresh.sqlite3"
    fresh.touch()
    saved = salvage(old / DATABASE_NAME, fresh)
    assert (saved["albums"], saved["album_members"], saved["saved_searches"]) == (1, 2, 1)
    (tmp_path / "new").mkdir()
    fresh.rename(tmp_path / "new" / DATABASE_NAME)
    with Store(tmp_path / "new") as again:
        assert again.album_rows.members("a") == [2, 1] and again.saved_searches.find("x").query == "red"


@pytest.mark.parametrize(
    "damage", ["UPDATE albums SET created_at = 'nonsense'", "UPDATE albums SET name = CAST(x'00' AS BLOB)"]
)
def test_damaged_albums_are_told_with_what_repairs_them(store, old, damage):
    store.albums.add("a", [1], key=str.lower)
    store.close()
    with closing(sqlite3.connect(old / DATABASE_NAME)) as connection:
        connection.execute(damage)
        connection.commit()
    with Store(old) as again, pytest.raises(StoreError, match="doctor --fix"):
        again.album_rows.list_all()


def test_a_catalog_that_another_program_writes_to_is_busy(store, old, monkeypatch):
    monkeypatch.setattr(connections, "BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(old / DATABASE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogBusyError, match="try again"):
            store.albums.add("a", [1], key=str.lower)
        other.execute("ROLLBACK")
    assert store.albums.add("a", [1], key=str.lower) == ("a", 1)
