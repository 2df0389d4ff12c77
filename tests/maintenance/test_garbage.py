"""What is gone is deleted for good, and whoever has the catalog open goes on getting right answers."""

import contextlib
import json
import os
import sqlite3
import time

import pytest

from clipsearch import CatalogBusyError, InputError
from clipsearch.store import Store
from tests.support.catalog_place import another_process, names, run_with_little_room

_HEX = "0123456789abcdef"


def rows(place, table: str) -> int:
    with contextlib.closing(sqlite3.connect(place.database)) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


@pytest.fixture
def garbage(place):
    """Two models; blue is gone, white was painted over, a copy of red is gone too."""
    for name in ("red", "green", "blue", "white"):
        place.paint(name)
    place.paint("copy", "red")
    place.index()
    with place.open() as catalog:
        catalog.use_model("colours 2")
        catalog.search("red")
    (place.photos / "blue.png").unlink()
    (place.photos / "copy.png").unlink()
    place.paint("white", "yellow")
    with place.open() as catalog:
        catalog.index(place.photos)
    return place


def test_what_is_gone_is_deleted(garbage):
    assert (rows(garbage, "files"), rows(garbage, "contents"), rows(garbage, "image_embeddings")) == (5, 5, 9)
    with garbage.open() as catalog:
        report = catalog.admin.collect_garbage()
    assert (report.files, report.pictures, report.embeddings) == (2, 2, 4)
    assert (rows(garbage, "files"), rows(garbage, "contents"), rows(garbage, "image_embeddings")) == (3, 3, 5)
    assert sorted(garbage.find("blue")) == ["green", "red", "white"]
    with garbage.open() as catalog:
        assert catalog.admin.collect_garbage().pictures == 0
        assert catalog.index(garbage.photos).unchanged == 3


def test_a_dry_run_deletes_nothing_and_says_the_same(garbage):
    with garbage.open() as catalog:
        before = garbage.database.read_bytes(), garbage.index_files("*")
        wanted = catalog.admin.collect_garbage(dry_run=True)
        assert (garbage.database.read_bytes(), garbage.index_files("*")) == before
        done = catalog.admin.collect_garbage()
    assert wanted.is_dry_run
    assert (wanted.files, wanted.pictures, wanted.embeddings) == (done.files, done.pictures, done.embeddings)


def test_an_open_catalog_gives_right_answers_right_after(garbage):
    with garbage.open() as reader, garbage.open() as writer:
        assert sorted(names(reader, "blue")) == ["green", "red", "white"]
        writer.admin.collect_garbage()
        assert sorted(names(reader, "blue")) == ["green", "red", "white"]
        garbage.paint("blue")
        writer.index(garbage.photos)
        assert names(reader, "blue")[0] == "blue"
        assert names(reader, "yellow")[0] == "white"


def test_another_process_that_has_it_open_gives_right_answers(garbage):
    shown = "index.count, *sorted(Path(path).stem for files in paths.values() for path in files)"
    with another_process(garbage.catalog, shown) as ask:
        assert ask() == "5 green red white"  # what is gone has no path
        with garbage.open() as catalog:
            catalog.admin.collect_garbage()
        assert ask() == "3 green red white"


def test_what_went_lately_can_be_kept(garbage):
    with contextlib.closing(sqlite3.connect(garbage.database)) as connection:
        connection.execute(
            "UPDATE files SET removed_at = datetime('now', '-3 days') WHERE relative_path = CAST('blue.png' AS BLOB)"
        )
        connection.commit()
    with garbage.open() as catalog:
        report = catalog.admin.collect_garbage(older_than_days=2)
        assert (report.files, report.pictures) == (1, 2)
        assert catalog.admin.collect_garbage(older_than_days=0.5).files == 0
        assert catalog.admin.collect_garbage().files == 1
        with pytest.raises(InputError, match="number of days"):
            catalog.admin.collect_garbage(older_than_days=-1)


def test_a_folder_that_was_given_up_goes_with_its_files(place):
    place.paint("red")
    place.index()
    (place.photos / "red.png").unlink()
    place.photos.rmdir()
    with place.open() as catalog:
        catalog.index(prune=True)
        assert catalog.admin.collect_garbage().folders == 1
        assert catalog.search("red") == []
    assert (rows(place, "roots"), place.index_files("*")) == (0, [])


def test_index_files_that_nothing_uses_are_deleted(garbage):
    for name in (f"{_HEX}-images-{_HEX}.faiss", f"{_HEX}-captions-{_HEX}.json", f"{_HEX}-images.1.new"):
        (garbage.catalog / "indexes" / name).write_bytes(b"x" * 1000)
    fresh = garbage.catalog / "indexes" / "0123456789abcdef-images.2.new"
    fresh.write_bytes(b"somebody writes it just now")
    for file in garbage.index_files("0123*"):
        if file != fresh:
            os.utime(file, (time.time() - 3600, time.time() - 3600))
    with garbage.open() as catalog:
        assert catalog.admin.collect_garbage(dry_run=True).index_files == 3
        # With those of the other model, which hold pictures that are deleted now.
        assert catalog.admin.collect_garbage().index_files == 3 + 2
    assert garbage.index_files("0123*") == [fresh]
    assert len(garbage.index_files()) == 1


def test_half_copies_of_the_database_are_deleted(place):
    """Of a backup or a restore that was killed."""
    place.paint("red")
    place.index()
    killed, log, running = (place.catalog / f".clipsearch-{name}" for name in ("1.new", "1.new-wal", "2.new"))
    for path in (killed, log, running):
        path.write_bytes(b"x" * 1000)
    for path in (killed, log):
        os.utime(path, (time.time() - 3600, time.time() - 3600))
    with place.open() as catalog:
        for is_asked in (True, False):
            assert killed.exists()
            report = catalog.admin.collect_garbage(dry_run=is_asked)
            assert (report.index_files, report.freed_bytes >= 2000) == (0, True)
    assert sorted(place.catalog.glob(".clipsearch-*")) == [running]


def test_the_file_shrinks(filled):
    with contextlib.closing(sqlite3.connect(filled.database)) as connection:
        connection.execute("UPDATE files SET removed_at = '2026-01-01 00:00:00' WHERE file_id > 100")
        connection.commit()
    before = filled.database.stat().st_size
    with filled.open() as catalog:
        report = catalog.admin.collect_garbage()
    assert filled.database.stat().st_size < before
    assert report.freed_bytes >= before - filled.database.stat().st_size > 0


def test_a_disk_too_full_to_shrink_is_told_and_stops_nothing(filled):
    with contextlib.closing(sqlite3.connect(filled.database)) as connection:
        connection.execute("UPDATE files SET removed_at = '2026-01-01 00:00:00' WHERE file_id = 7")
        connection.commit()
    with contextlib.closing(sqlite3.connect(filled.database)) as connection:
        for name, size in (("hole", 9_000), ("padding", 4_000_000)):
            connection.execute("INSERT INTO label_sets (name, labels, added_at) VALUES (?, ?, 0)", (name, "x" * size))
        connection.execute("DELETE FROM label_sets WHERE name = 'hole'")
        connection.commit()
    limit = filled.database.stat().st_size + 4096  # less than the log of a VACUUM takes
    done = run_with_little_room(limit, "gc", "--catalog", filled.catalog)
    assert done.returncode == 0, done.stderr
    assert "can't be made smaller" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert rows(filled, "image_embeddings") == 304


def test_one_at_a_time(garbage):
    store = Store(garbage.catalog)
    with garbage.open() as catalog, store.writing():
        with pytest.raises(CatalogBusyError):
            catalog.admin.collect_garbage()
        assert catalog.admin.collect_garbage(dry_run=True).pictures == 2
    store.close()


def test_the_command_says_what_it_did_in_one_line(garbage, command):
    code, out, err = command("gc", "--dry-run", "--catalog", garbage.catalog)
    assert (code, err) == (0, "")
    assert out.startswith("2 pictures and 4 embeddings of 2 missing files would be deleted, about ")
    code, out, err = command("gc", "--catalog", garbage.catalog)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert out.startswith("2 pictures and 4 embeddings of 2 missing files and 2 index files deleted, ")
    code, out, _ = command("gc", "--catalog", garbage.catalog, "--json")
    assert json.loads(out)["pictures"] == 0
    assert command("gc", "--catalog", garbage.catalog / "none")[0] == 3
    assert command("gc", "--catalog", garbage.catalog, "--older-than", "-1")[0] == 2


def test_readers_in_other_threads_meet_no_error(garbage):
    from concurrent.futures import ThreadPoolExecutor

    with garbage.open() as reader, garbage.open() as writer, ThreadPoolExecutor(1) as pool:
        found = pool.submit(lambda: [sorted(names(reader, "red")) for _ in range(60)])
        for number in range(5):
            garbage.paint("more", (number * 20, 7, 9))
            writer.index(garbage.photos)
            (garbage.photos / "more.png").unlink()
            writer.index(garbage.photos)
            writer.admin.collect_garbage()
        for answer in found.result():
            assert [name for name in answer if name != "more"] == ["green", "red", "white"]
