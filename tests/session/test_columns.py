"""Columns follow the store; their file is derived: whatever happens to it, the answers are those of SQL."""

import contextlib
import os
import random
import shutil
from pathlib import Path

import pytest

from clipsearch.columns.file import column_path
from clipsearch.errors import ClipSearchNotice
from clipsearch.query import parse_query
from clipsearch.session import columns as session_columns
from clipsearch.session.columns import CatalogColumns, refresh_columns
from clipsearch.store import FileRecord, Store
from clipsearch.store.backends.connection import DATABASE_NAME
from tests.support.filter_sql import FilterSql
from tests.support.odd_catalogs import fill, record_of

FILTERS = [parse_query(text).filters for text in ("path:a camera:canon", "taken:2010..", "-is:dark", "near:48,2,90km")]
MODEL = 1


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    """Files of columns for small catalogs too."""
    monkeypatch.setattr(session_columns, "_FEW_ROWS", 20)


@pytest.fixture
def place(tmp_path) -> Path:
    with Store(tmp_path / "catalog", create=True) as store:
        fill(store, 300, random.Random(3))
    return tmp_path / "catalog"


@pytest.fixture
def store(place):
    with Store(place) as store:
        yield store


def check(store: Store, columns: CatalogColumns) -> None:
    sql = FilterSql(store)
    for filters in FILTERS:
        expected = sql.select(filters)
        assert columns.ask(lambda current, filters=filters: current.select_ids(filters)).tolist() == expected
        assert expected


def file_of(store: Store) -> Path:
    file = store.column_rows.find_file()
    assert file is not None
    return column_path(store.place.directory / "indexes", file.blake3)


def open_columns(store: Store) -> CatalogColumns:
    return CatalogColumns(store, store.place.directory / "indexes")


def add(store: Store, count: int, first: int = 1_000) -> None:
    records = [record_of(first + number, random.Random(number)) for number in range(count)]
    root_id = store.roots.list_all()[0].root_id
    files = [FileRecord(root_id, f"new/{first}/{number}.jpg", 1, 0, each.blake3) for number, each in enumerate(records)]
    store.pictures.record(records, files, model_id=MODEL)


def is_read_from_sql(monkeypatch) -> list[int]:
    """The list gets an entry whenever all columns are read from SQL."""
    calls, read = [], session_columns.read_segment

    def counted(store):
        calls.append(1)
        return read(store)

    monkeypatch.setattr(session_columns, "read_segment", counted)
    return calls


def test_the_first_filter_writes_the_file_and_others_map_it(store, monkeypatch):
    calls = is_read_from_sql(monkeypatch)
    check(store, open_columns(store))
    file = file_of(store)
    assert (file.stat().st_mode & 0o777, [each.name for each in file.parent.iterdir()]) == (0o600, [file.name])
    check(store, open_columns(store))
    assert calls == [1]


def test_a_few_changes_do_not_rewrite_the_file(store, monkeypatch):
    columns = open_columns(store)
    check(store, columns)
    file, calls = file_of(store), is_read_from_sql(monkeypatch)
    add(store, 15)
    check(store, columns)
    check(store, open_columns(store))
    refresh_columns(store, file.parent)
    assert (file_of(store), calls) == (file, [])


def test_many_changes_rewrite_it_when_it_is_opened_or_after_an_index_run(store, monkeypatch):
    check(store, open_columns(store))
    old, calls = file_of(store), is_read_from_sql(monkeypatch)
    add(store, 30)
    check(store, open_columns(store))
    new = file_of(store)
    assert (old.exists(), new.exists(), calls) == (False, True, [1])
    add(store, 30, 2_000)
    refresh_columns(store, new.parent)
    assert (new.exists(), calls) == (False, [1, 1])
    check(store, open_columns(store))
    assert calls == [1, 1]


@pytest.mark.parametrize("place_of_damage", ["header", "column", "end", "all"])
def test_a_damaged_file_is_rebuilt(store, place_of_damage):
    check(store, open_columns(store))
    file = file_of(store)
    content = bytearray(file.read_bytes())
    if place_of_damage == "end":
        del content[-1000:]
    else:
        spans = {"header": range(20, 21), "column": range(len(content) // 2, len(content)), "all": range(len(content))}
        for at in spans[place_of_damage]:
            content[at] ^= 1
    file.unlink()
    file.write_bytes(content)
    with pytest.warns(ClipSearchNotice, match="columns.*rebuilt from the catalog"):
        check(store, open_columns(store))
    check(store, open_columns(store))
    assert file_of(store).read_bytes() != bytes(content)


@pytest.mark.parametrize("what", ["missing", "link", "folder"])
def test_what_is_no_file_is_not_read(store, tmp_path, what):
    check(store, open_columns(store))
    file = file_of(store)
    moved = shutil.move(file, tmp_path / "moved")
    if what == "link":
        file.symlink_to(moved)
    elif what == "folder":
        file.mkdir()
    with contextlib.nullcontext() if what == "missing" else pytest.warns(ClipSearchNotice, match="rebuilt"):
        check(store, open_columns(store))


def test_a_catalog_that_can_not_be_written_is_filtered_all_the_same(place, monkeypatch):
    if os.name != "posix" or os.geteuid() == 0:
        monkeypatch.setattr(session_columns, "save_segment", refuse)
    else:
        place.chmod(0o500)
    with Store(place) as store:
        check(store, open_columns(store))
        assert store.column_rows.find_file() is None
    place.chmod(0o700)


def refuse(*_: object) -> str:
    from clipsearch.errors import VectorIndexError

    raise VectorIndexError("can't write")


def test_a_database_put_back_does_not_use_a_newer_file(place, tmp_path):
    with Store(place) as store:
        check(store, open_columns(store))
    shutil.copy(place / DATABASE_NAME, tmp_path / "copy")
    with Store(place) as store:
        add(store, 40)
        check(store, open_columns(store))
        newer = file_of(store)
    shutil.copy(tmp_path / "copy", place / DATABASE_NAME)
    with Store(place) as store:
        add(store, 5, 3_000)
        assert file_of(store) != newer
        check(store, open_columns(store))


def test_two_sessions_see_what_the_other_writes(place):
    with Store(place) as one, Store(place) as other:
        columns = open_columns(one), open_columns(other)
        for number in range(4):
            add((one, other)[number % 2], 3, 5_000 + 10 * number)
            for store, each in zip((one, other), columns, strict=True):
                check(store, each)


def test_folders_that_become_one_are_read_again(store):
    columns = open_columns(store)
    check(store, columns)
    store.roots.add(os.path.abspath(os.sep))
    check(store, columns)
