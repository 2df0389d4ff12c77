"""The full-text index follows the store; its file is derived: whatever happens to it, the answers are the same."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from clipsearch.description import Description
from clipsearch.errors import ClipSearchNotice
from clipsearch.maintenance.orphans import find_leftovers, named_files
from clipsearch.session import written as session_written
from clipsearch.session.written import CatalogWriting, check_written, refresh_written, written_path
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.sidecars import SidecarRecord
from clipsearch.text import fold_words
from clipsearch.types import ImageMetadata
from clipsearch.written import table as written_table
from tests.support.stores import make_store, store

__all__ = ["make_store", "store"]

DESCRIBED = {
    1: Description(title="Summer Camp", keywords=("Lake", "Zelt"), people=("Jürgen Groß",)),
    2: Description(caption="The old harbour of Köln at night", creator="Anna Lee"),
    3: Description(keywords=("黒猫", "東京"), city="東京"),
    4: Description(),
    5: Description(title="summer", caption="no camp"),
}
NAMES = {1: "2019/IMG_0001.jpg", 2: "b.jpg", 3: "c.png", 4: "Ferien/Straße am Meer.jpg", 5: "e.jpg"}
EXPECTED = {
    "summer camp": [1],
    "summer": [1, 5],
    "SUMMER": [1, 5],
    "umm": [1, 5],
    "jurgen gross": [1],
    "koln": [2],
    "anna lee": [2],
    "猫": [3],
    "東京": [3],
    "黒猫": [3],
    "strasse am": [4],
    "ferien": [4],
    "img_0001": [1],
    "IMG 0001": [1],
    "c": [1, 3, 5],
    "camp lake": [],  # of two texts
    "jpg": [],
    '" OR rowid > 0 --': [],
    "zebra": [],
}


def fill(store: Store, described=DESCRIBED, names=NAMES, first: int = 0) -> None:
    known = store.models.list_all()
    model_id = known[0].model_id if known else store.models.add(name="m", fingerprint="0" * 64, dim=1).model_id
    root = store.roots.add("/photos").root_id
    records, files = [], []
    for number, description in described.items():
        blake3 = (first + number).to_bytes(32, "big")
        metadata = ImageMetadata(width=1, height=1, format="JPEG", description=description)
        records.append(ContentRecord(blake3, 1, metadata, np.ones(1, dtype=np.float32)))
        files.append(FileRecord(root, names[number], 1, 0, blake3, None))
    store.pictures.record(records, files, model_id=model_id)


def folder_of(store: Store) -> Path:
    return store.place.directory / "indexes"


def open_writing(store: Store) -> CatalogWriting:
    return CatalogWriting(store, folder_of(store))


def find(writing: CatalogWriting, text: str) -> list[int]:
    return writing.ask(lambda words: words.find([fold_words(text)])).tolist()


def check(writing: CatalogWriting) -> None:
    for text, expected in EXPECTED.items():
        assert find(writing, text) == expected, text


@pytest.fixture(params=[True, False], ids=["file", "memory"])
def has_file(request, monkeypatch):
    monkeypatch.setattr(session_written, "_FEW_ROWS", 0 if request.param else 1_000)
    return request.param


@pytest.fixture
def files(monkeypatch):
    monkeypatch.setattr(session_written, "_FEW_ROWS", 0)


@pytest.fixture
def place(tmp_path, files) -> Path:
    with Store(tmp_path / "catalog", create=True) as opened:
        fill(opened)
    return tmp_path / "catalog"


def test_texts_are_found_on_each_kind_of_database(store, has_file):
    fill(store)
    writing = open_writing(store)
    check(writing)
    assert written_path(folder_of(store), store.uuid).exists() == has_file
    check(open_writing(store))


def test_without_full_text_search_all_texts_are_read(tmp_path, files, monkeypatch):
    monkeypatch.setattr(session_written, "has_full_text", lambda: False)
    monkeypatch.setattr(written_table, "has_full_text", lambda: False)
    with Store(tmp_path / "catalog", create=True) as opened:
        fill(opened)
        check(open_writing(opened))
        assert not folder_of(opened).exists()


def test_changes_are_followed(store, has_file):
    fill(store)
    writing, other = open_writing(store), open_writing(store)
    check(writing)
    check(other)
    file_ids = {path: number for rows in store.column_rows.files() for number, _, _, path in rows}
    beside = SidecarRecord(file_ids[b"b.jpg"], "xmp", b"b.xmp", 1, 1, Description(title="Zebra crossing"))
    store.sidecars.record([beside])
    fill(store, {9: Description(title="A zebra")}, {9: "i.jpg"})
    for each in (writing, other, open_writing(store)):
        assert find(each, "zebra") == [2, 6]
        assert find(each, "old harbour") == [2]
    store.sidecars.record([], gone=[(file_ids[b"b.jpg"], "xmp")])
    store.pictures.remove_files([file_ids[b"2019/IMG_0001.jpg"]])
    fill(store, {4: Description()}, {4: "Berge.jpg"})
    for each in (writing, other, open_writing(store)):
        assert find(each, "zebra") == [6]
        assert find(each, "summer camp") == []
        assert find(each, "berge") == [4]
        assert each.ask(lambda words: sorted(words.documents([1, 2, 4]))) == [2, 4]


def test_a_file_far_behind_is_rewritten(place, monkeypatch):
    monkeypatch.setattr(session_written, "allowed_tail", lambda rows: 2)
    with Store(place) as store:
        writing = open_writing(store)
        check(writing)
        before = written_path(folder_of(store), store.uuid).stat().st_ino
        fill(store, {number: Description() for number in (11, 12)}, {11: "k.jpg", 12: "l.jpg"})
        assert find(writing, "summer") == [1, 5]
        assert written_path(folder_of(store), store.uuid).stat().st_ino == before
        refresh_written(store, folder_of(store))
        assert written_path(folder_of(store), store.uuid).stat().st_ino == before
        fill(store, {number: Description(title="summer") for number in (13, 14)}, {13: "m.jpg", 14: "n.jpg"})
        refresh_written(store, folder_of(store))
        assert written_path(folder_of(store), store.uuid).stat().st_ino != before
        assert find(writing, "summer") == [1, 5, 8, 9]
        assert find(open_writing(store), "summer") == [1, 5, 8, 9]


def damage_in_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)


def add_a_view(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE VIEW evil AS SELECT 1")


def replace_about(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE about SET value = 'x' WHERE name = 'newest'")
        connection.commit()


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"SQLite format 3\0" + b"x" * 5_000),
        lambda path: path.write_bytes(path.read_bytes()[:9_000]),
        damage_in_pages,
        add_a_view,
        replace_about,
    ],
)
@pytest.mark.filterwarnings("ignore::clipsearch.errors.ClipSearchNotice")
def test_a_damaged_or_foreign_file_is_rebuilt(place, change):
    with Store(place) as store:
        check(open_writing(store))
        path = written_path(folder_of(store), store.uuid)
        change(path)
        check(open_writing(store))
        check(open_writing(store))
        assert check_written(place, store.uuid) is None


def test_doctor_and_garbage_know_the_file(place):
    with Store(place) as store:
        check(open_writing(store))
        path = written_path(folder_of(store), store.uuid)
        assert path.stat().st_mode & 0o777 == 0o600
        left = path.with_name("written.123.new")
        left.write_bytes(b"x")
        os.utime(left, (0, 0))
        os.utime(path, (0, 0))
        assert path in named_files(place, store.reader)
        assert find_leftovers(place, store.reader) == [left]
        assert check_written(place, store.uuid) is None
        damage_in_pages(path)
        assert check_written(place, store.uuid) == f"the file of written words {path} is damaged"


def test_a_linked_file_is_not_followed(place, tmp_path):
    with Store(place) as store:
        check(open_writing(store))
        path = written_path(folder_of(store), store.uuid)
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        with pytest.warns(ClipSearchNotice, match="can't read"):
            check(open_writing(store))


def test_a_database_that_was_put_back_does_not_use_a_newer_file(place, tmp_path):
    shutil.copy(place / DATABASE_NAME, tmp_path / "copy")
    with Store(place) as store:
        fill(store, {20: Description(title="zebra")}, {20: "old.jpg"})
        assert find(open_writing(store), "zebra") == [6]
        path = written_path(folder_of(store), store.uuid)
        content = path.read_bytes()
    for name in (DATABASE_NAME, f"{DATABASE_NAME}-wal", f"{DATABASE_NAME}-shm"):
        (place / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "copy", place / DATABASE_NAME)
    with Store(place) as store:
        assert find(open_writing(store), "zebra") == []
        for number in range(21, 26):
            fill(store, {number: Description()}, {number: f"new{number}.jpg"})
        path.write_bytes(content)
        assert find(open_writing(store), "zebra") == []
        assert find(open_writing(store), "new21") == [6]


def test_a_folder_that_cannot_be_written_is_searched_in_memory(place, monkeypatch):
    with Store(place) as store:
        folder_of(store).write_bytes(b"not a folder")
        with pytest.warns(ClipSearchNotice):
            check(open_writing(store))
