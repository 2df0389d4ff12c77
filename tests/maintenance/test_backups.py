"""A backup while others write, and a restore while others read."""

import contextlib
import json
import os
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clipsearch import (
    Catalog,
    CatalogBusyError,
    InputError,
    StoreError,
    restore_catalog,
)
from clipsearch.errors import SchemaOutdatedError
from clipsearch.store import Store
from clipsearch.store.migrate import HEAD_REVISION, current_revision
from tests.support.catalog_place import Place, another_process, names, run_with_little_room


@pytest.fixture
def red(place) -> tuple[Place, Path]:
    """A catalog of one red square and its backup."""
    place.paint("red")
    place.index()
    with place.open() as catalog:
        catalog.captions.add(["red"])
        catalog.admin.backup(place.catalog.parent / "b.sqlite3")
    return place, place.catalog.parent / "b.sqlite3"


def test_a_backup_is_one_checked_file_for_its_owner(red):
    place, backup = red
    assert sorted(file.name for file in backup.parent.iterdir()) == ["b.sqlite3", "catalog", "photos"]
    assert backup.stat().st_mode & 0o777 == 0o600
    with contextlib.closing(sqlite3.connect(f"file:{backup}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("SELECT count(*) FROM image_embeddings").fetchone() == (1,)
    with place.open() as catalog:
        report = catalog.admin.backup(backup, force=True)
    assert (report.pictures, report.captions, report.size_bytes) == (1, 1, backup.stat().st_size)


def test_what_it_refuses_to_write_to(red, tmp_path):
    place, backup = red
    before = backup.read_bytes()
    (tmp_path / "link.sqlite3").symlink_to(place.database)
    os.mkfifo(tmp_path / "pipe")
    wrong = {
        backup: "is there already.*--force",
        tmp_path / "none" / "b.sqlite3": "no folder",
        place.photos: "not a file",
    }
    forced = {
        place.database: "the catalog itself",
        place.catalog / ".." / "catalog" / "catalog.sqlite3": "the catalog itself",
        place.catalog / "catalog.sqlite3-wal": "the catalog itself",
        tmp_path / "link.sqlite3": "the catalog itself",
        tmp_path / "pipe": "not a file",
        place.photos: "not a file",
        "": "empty",
    }
    with place.open() as catalog:
        for force, files in ((False, wrong), (True, forced)):
            for file, reason in files.items():
                with pytest.raises(InputError, match=reason):
                    catalog.admin.backup(file, force=force)
    assert backup.read_bytes() == before


def test_a_full_disk_leaves_nothing_behind(filled, tmp_path):
    before = sorted(tmp_path.iterdir())
    done = run_with_little_room(40_000, "backup", tmp_path / "b.sqlite3", "--catalog", filled.catalog)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"clipsearch: can't write the backup {tmp_path / 'b.sqlite3'}: ")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("room", [-50_000, 100])
def test_a_full_disk_leaves_the_catalog_as_it_was(filled, tmp_path, room):
    """There is no room for the copy, or for it but not for the log of putting it in place."""
    backup = tmp_path / "b.sqlite3"
    with filled.open() as catalog:
        limit = catalog.admin.backup(backup).size_bytes + room
        catalog.captions.remove(["red thing number 7, of many"])
        catalog.search("red")
    before = sorted(file.name for file in filled.catalog.iterdir())
    done = run_with_little_room(limit, "restore", backup, "--catalog", filled.catalog)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert ("can't be replaced" if room > 0 else "can't copy") in line
    assert sorted(file.name for file in filled.catalog.iterdir()) == before
    with filled.open() as catalog:
        assert len(catalog.captions.list()) == 299


def test_a_backup_while_another_thread_writes_is_whole(place, tmp_path):
    place.paint("red")
    place.index()
    with place.open() as writer, place.open() as catalog, ThreadPoolExecutor(1) as pool:
        adding = pool.submit(lambda: [writer.captions.add([f"red {number}"]) for number in range(100)])
        counted = [catalog.admin.backup(tmp_path / "b.sqlite3", force=True).captions for _ in range(8)]
        adding.result()
        counted.append(catalog.admin.backup(tmp_path / "b.sqlite3", force=True).captions)
    assert counted == sorted(counted)
    assert counted[-1] == 100


def test_a_damaged_catalog_is_not_backed_up(filled, tmp_path):
    with filled.database.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\x55" * 4096)
    with filled.open() as catalog, pytest.raises(StoreError, match=r"damaged, nothing was backed up.*doctor"):
        catalog.admin.backup(tmp_path / "b.sqlite3")
    assert not (tmp_path / "b.sqlite3").exists()


def test_a_restore_brings_back_what_was_there(red):
    place, backup = red
    place.paint("blue")
    place.index()
    with place.open() as catalog:
        catalog.captions.remove()
    report = restore_catalog(backup, place.catalog)
    assert (report.pictures, report.captions, report.was_upgraded) == (1, 1, False)
    assert place.find("blue") == ["red"]
    with place.open() as catalog:
        assert catalog.captions.list() == ["red"]
    kept = Path(report.kept)
    assert kept.name.startswith("catalog.before-restore-")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert restore_catalog(kept, place.catalog).pictures == 2
    assert place.find("blue") == ["blue", "red"]


def test_who_has_it_open_sees_the_restored_content_and_nothing_else(red):
    """Blue was stored after the backup, green takes its place: neither row numbers nor generations may mix them up."""
    place, backup = red
    with place.open() as reader:
        place.paint("blue")
        place.index()
        assert names(reader, "blue") == ["blue", "red"]
        assert reader.caption(place.photos / "red.png")[0].text == "red"
        restore_catalog(backup, place.catalog)
        assert names(reader, "blue") == ["red"]
        (place.photos / "blue.png").unlink()
        place.paint("green")
        place.index()
        assert names(reader, "green") == ["green", "red"]
        assert reader.search("green", top_k=1)[0].score == pytest.approx(1, abs=1e-3)
        reader.captions.add(["green"])
        assert reader.caption(place.photos / "green.png")[0].text == "green"
    # A second restore within the same second too.
    restore_catalog(backup, place.catalog)
    with place.open() as reader:
        assert names(reader, "green") == ["red"]
        restore_catalog(backup, place.catalog)
        place.index()
        assert names(reader, "green") == ["green", "red"]


def test_another_process_goes_on_with_the_restored_content(red):
    place, backup = red
    place.paint("blue")
    place.index()
    with another_process(place.catalog, "index.count, len(paths)") as ask:
        assert ask() == "2 2"
        restore_catalog(backup, place.catalog)
        assert ask() == "1 1"
        place.index()
        assert ask() == "2 2"


def test_reads_during_a_restore_meet_no_error(red):
    place, backup = red
    with place.open() as reader, ThreadPoolExecutor(1) as pool:
        found = pool.submit(lambda: [names(reader, "red") for _ in range(150)])
        for _ in range(6):
            restore_catalog(backup, place.catalog)
        assert all(answer == ["red"] for answer in found.result())


def test_index_files_after_a_restore_are_the_new_ones(red):
    place, backup = red
    place.paint("blue")
    place.index()
    restore_catalog(backup, place.catalog)
    assert len(place.index_files("*-images-*.faiss")) == 1
    assert len(place.index_files("*.faiss")) == len(place.index_files("*.json")) == 2
    assert place.find("red") == ["red"]


def test_a_catalog_is_made_where_there_is_none(red, tmp_path):
    place, backup = red
    report = restore_catalog(backup, tmp_path / "new" / "catalog")
    assert report.kept is None
    new = Place(tmp_path / "new" / "catalog", place.photos)
    assert new.find("red") == ["red"]
    assert new.catalog.stat().st_mode & 0o777 == 0o700
    assert new.database.stat().st_mode & 0o777 == 0o600


def test_the_backup_of_another_catalog(red, tmp_path, colours):
    place, _ = red
    other = Place(tmp_path / "other", tmp_path / "other photos")
    other.paint("yellow")
    with Catalog.open(other.catalog, model="colours 2", create=True) as catalog:
        catalog.index(other.photos)
        catalog.admin.backup(tmp_path / "other.sqlite3")
    with place.open() as reader:
        assert names(reader, "red") == ["red"]
        restore_catalog(tmp_path / "other.sqlite3", place.catalog)
        # Its model has the number of this one's.
        with pytest.raises(StoreError, match="replaced by another one meanwhile: open it again"):
            reader.search("red")
    assert place.find("red") == ["yellow"]


def test_an_older_backup_is_upgraded(place):
    old = (Path(__file__).parents[1] / "store" / "schema_0001.sql").read_text(encoding="utf-8")
    backup = place.catalog.parent / "old.sqlite3"
    with contextlib.closing(sqlite3.connect(backup)) as connection:
        connection.executescript(old)
    before = backup.read_bytes()
    report = restore_catalog(backup, place.catalog, roots=["/"])
    assert (report.was_upgraded, report.pictures) == (True, 3)
    assert current_revision(place.database) == HEAD_REVISION
    assert backup.read_bytes() == before
    assert len(place.find("red")) == 2
    assert sorted(file.name for file in place.catalog.iterdir() if file.name.startswith(("cat", "."))) == [
        "catalog.sqlite3"
    ]


def test_an_older_backup_that_can_not_be_upgraded_leaves_nothing(place):
    old = (Path(__file__).parents[1] / "store" / "schema_0001.sql").read_text(encoding="utf-8")
    backup = place.catalog.parent / "old.sqlite3"
    with contextlib.closing(sqlite3.connect(backup)) as connection:
        connection.executescript(old)
        connection.execute("ALTER TABLE roots ADD COLUMN volume VARCHAR")
    place.catalog.mkdir()
    with pytest.raises(StoreError, match="can't upgrade"):
        restore_catalog(backup, place.catalog)
    assert [file.name for file in place.catalog.iterdir() if file.name != "writer.lock"] == []


def damage(file: Path, change: str) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        if change == "newer":
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
            connection.commit()
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    content = bytearray(file.read_bytes())
    match change:
        case "header":
            content[:100] = bytes(100)
        case "magic":
            content[3] ^= 0x20
        case "truncated":
            del content[len(content) // 2 :]
        case "page":
            content[6 * size : 7 * size] = b"\x55" * size
        case "empty":
            content.clear()
        case "text":
            content[:] = b"nothing of the kind"
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ("header", StoreError, "is not a backup"),
        ("truncated", StoreError, "is not a backup|damaged|can't copy"),
        ("page", StoreError, "is damaged and was not restored"),
        ("empty", StoreError, "is not a backup"),
        ("text", StoreError, "is not a backup"),
        ("newer", SchemaOutdatedError, "newer clipsearch"),
    ],
)
def test_a_file_that_is_no_good_backup_changes_nothing(red, tmp_path, change, error, message):
    place, backup = red
    damage(backup, change)
    before = sorted(file.name for file in place.catalog.iterdir())
    with pytest.raises(error, match=message):
        restore_catalog(backup, place.catalog)
    assert sorted(file.name for file in place.catalog.iterdir()) == before
    assert place.find("red") == ["red"]
    with pytest.raises(error):
        restore_catalog(backup, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("change", ["header", "magic", "truncated", "page", "empty", "text"])
def test_a_damaged_catalog_is_restored_and_kept_as_it_was(red, change):
    place, backup = red
    damage(place.database, change)
    damaged = place.database.read_bytes()
    kept = Path(restore_catalog(backup, place.catalog).kept)
    assert place.find("red") == ["red"]
    assert kept.stat().st_mode & 0o077 == 0
    if change != "empty":
        assert sum(a != b for a, b in zip(kept.read_bytes(), damaged, strict=True)) < 64  # but for counters


def test_other_sizes_of_pages(red, tmp_path):
    place, backup = red
    with contextlib.closing(sqlite3.connect(backup)) as connection:
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("VACUUM")
    with place.open() as reader:
        restore_catalog(backup, place.catalog)
        assert names(reader, "red") == ["red"]


def test_one_at_a_time(red):
    place, backup = red
    with contextlib.closing(Store(place.catalog)) as store, store.writing(), pytest.raises(CatalogBusyError):
        restore_catalog(backup, place.catalog)


def test_files_that_can_not_be_restored_from(red):
    place, backup = red
    for file, reason in (
        (place.database, "itself"),
        (place.photos, "not a file"),
        (backup.parent / "no", "can't read"),
    ):
        with pytest.raises(InputError, match=reason):
            restore_catalog(file, place.catalog)


def test_the_commands(red, command):
    place, backup = red
    code, out, err = command("backup", backup, "--catalog", place.catalog)
    assert (code, out) == (2, "")
    assert err == f"clipsearch: {backup} is there already: name another file, or replace it with --force\n"
    code, out, err = command("backup", backup, "--force", "--catalog", place.catalog)
    assert (code, err) == (0, "")
    assert out.startswith(f"{backup}: 1 picture, 1 caption, ")
    assert out.endswith(" KB, checked; the index files are made from it and not in it\n")
    code, out, err = command("restore", backup, "--catalog", place.catalog)
    first, second = out.splitlines()
    assert (code, err, first) == (0, "", "1 picture and 1 caption restored")
    assert second.startswith(f"what was there before is {place.catalog}/catalog.before-restore-")
    code, out, _ = command("restore", backup, "--catalog", place.catalog, "--json")
    assert json.loads(out)["pictures"] == 1
    assert command("backup", backup, "--catalog", backup.parent / "none")[0] == 3
    assert command("restore", backup.parent / "none", "--catalog", place.catalog)[0] == 2
    shutil.rmtree(place.catalog)
    assert command("restore", backup, "--catalog", place.catalog)[1] == "1 picture and 1 caption restored\n"
