"""Catalogs that are really damaged: what the doctor says, and that it mends them."""

import contextlib
import json
import os
import shutil
import sqlite3
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from clipsearch import Catalog, CatalogBusyError, CatalogNotFoundError, CheckReport, check_catalog
from clipsearch.errors import StoreError
from clipsearch.maintenance import repair
from clipsearch.store import Store
from tests.support.catalog_place import Place, run_with_little_room

COLOURS = ["red", "green", "blue", "yellow", "white"]

_HEX = "0123456789abcdef"


@contextlib.contextmanager
def sql(place: Place):
    with contextlib.closing(sqlite3.connect(place.database)) as connection:
        yield connection
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def wrong(report: CheckReport) -> set[str]:
    return {finding.check for finding in report.findings if finding.severity != "info" and not finding.is_fixed}


def fixed(report: CheckReport) -> set[str]:
    return {finding.check for finding in report.findings if finding.is_fixed}


def assert_sound(place: Place) -> None:
    """Nothing is left, and searches are right once what is missing was read again."""
    report = check_catalog(place.catalog, full=True)
    assert report.is_sound, report.findings
    with warnings.catch_warnings(), place.open() as catalog:
        warnings.simplefilter("error")
        catalog.index(place.photos)
        for colour in COLOURS:
            hit = catalog.search(colour, top_k=1)[0]
            assert (Path(hit.path).stem, round(hit.score, 2)) == (colour, 1)
        assert catalog.admin.status().pictures == 305
        hits = catalog.search("red", top_k=1000)
        assert len({hit.path for hit in hits}) == len(hits) == 305
        catalog.captions.add(["blue"])
        assert catalog.caption(place.photos / "blue.png")[0].text == "blue"
    report = check_catalog(place.catalog, full=True)
    assert report.findings == (), report.findings


def files(place: Place) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in place.catalog.rglob("*") if path.is_file() and path.suffix != ".lock"}


def mend(place: Place, *checks: str, full: bool = False) -> CheckReport:
    """Looking finds it and changes nothing; mending mends it."""
    before = files(place)
    found = check_catalog(place.catalog, full=full)
    assert wrong(found) == set(checks)
    assert not found.is_sound
    assert files(place) == before
    report = check_catalog(place.catalog, full=full, fix=True)
    assert (wrong(report), fixed(report) >= set(checks), report.is_sound) == (set(), True, True)
    assert_sound(place)
    return report


def test_a_sound_catalog(filled):
    report = check_catalog(filled.catalog)
    assert report.findings == ()
    assert (report.stored_embeddings, report.checked_embeddings) == (605, 605)
    assert (report.index_rows, report.compared_rows, report.copies) == (605, 605, ())
    assert check_catalog(filled.catalog, full=True, fix=True).copies == ()
    assert_sound(filled)


def test_a_new_catalog_is_sound(tmp_path):
    Store(tmp_path / "catalog", create=True).close()
    assert check_catalog(tmp_path / "catalog", full=True).findings == ()


def test_there_is_none(tmp_path):
    with pytest.raises(CatalogNotFoundError):
        check_catalog(tmp_path)
    assert list(tmp_path.iterdir()) == []


def broken_embedding(kind: str) -> bytes:
    row = np.array([0.5, 0.5, 0.5, 0.5], dtype="<f2")
    match kind:
        case "nan":
            row[2] = np.nan
        case "inf":
            row[0] = np.inf
        case "norm":
            row *= 1.02
        case "zero":
            row[:] = 0
    return row.tobytes()[:-1] if kind == "truncated" else row.tobytes()


@pytest.mark.parametrize("kind", ["nan", "inf", "norm", "zero", "truncated", "changed"])
def test_broken_embeddings_are_deleted_and_made_anew(filled, kind):
    with sql(filled) as connection:
        change = "UPDATE {} SET embedding = ? WHERE embedding_id IN (2, 40)"
        connection.execute(change.format("image_embeddings"), (broken_embedding(kind),))
        connection.execute(change.format("caption_embeddings"), (broken_embedding(kind),))
    report = mend(filled, "embeddings")
    assert any("2 pictures have no embedding" in finding.message for finding in report.findings)
    (copy,) = report.copies
    assert os.stat(copy).st_mode & 0o777 == 0o600
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM image_embeddings").fetchone() == (305,)


def test_a_disk_too_full_for_a_copy_is_told_and_nothing_is_changed(filled):
    with sql(filled) as connection:
        connection.execute("UPDATE image_embeddings SET embedding = x'00' WHERE embedding_id = 9")
    before = files(filled)
    done = run_with_little_room(40_000, "doctor", "--fix", "--catalog", filled.catalog)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"can't keep a copy of the catalog {filled.database}: " in done.stdout
    assert "not a unit-norm row" in done.stdout
    assert files(filled) == before


def test_an_open_catalog_sees_that_embeddings_were_deleted(filled):
    with filled.open() as reader:
        assert len(reader.search("red", top_k=1000)) == 305
        with sql(filled) as connection:
            connection.execute("UPDATE image_embeddings SET embedding = x'00' WHERE embedding_id = 9")
        check_catalog(filled.catalog, fix=True)
        assert len(reader.search("red", top_k=1000)) == 304


@pytest.mark.parametrize("flips", range(4))
def test_a_flipped_bit_of_an_embedding_is_found_by_the_index_that_was_made_of_it(filled, flips):
    """One that SQLite can't see, and that changes the norm by little."""
    with sql(filled) as connection:
        (row,) = connection.execute("SELECT embedding FROM image_embeddings WHERE embedding_id = 7").fetchone()
        flipped = bytes([row[0] ^ 1 << flips]) + row[1:]
        connection.execute("UPDATE image_embeddings SET embedding = ? WHERE embedding_id = 7", (flipped,))
    mend(filled, "embeddings")


def test_rows_that_point_at_nothing(filled):
    with sql(filled) as connection:
        connection.execute("DELETE FROM contents WHERE content_id IN (3, 4)")
        connection.execute(
            "INSERT INTO files (file_id, root_id, relative_path, size_bytes, mtime_ns, content_id) "
            "VALUES (900, 77, x'61', 1, 1, 5)"
        )
        connection.execute("INSERT INTO image_embeddings VALUES (900, 8, 5, x'00')")
        connection.execute("DELETE FROM captions WHERE caption_id = 8")
        connection.execute("INSERT INTO snapshots VALUES (8, 'images', '', 'x', 1, 1, 1, NULL)")
        connection.execute("UPDATE files SET content_id = NULL WHERE file_id = 20")
        connection.execute("UPDATE catalog SET model_id = 8")
    report = mend(filled, "rows")
    assert not any("point at" in finding.message and not finding.is_fixed for finding in report.findings)


@pytest.mark.parametrize(
    "region",
    ["header", "ids", "codes", "end", "cut off", "gone", "sidecar", "no sidecar", "other sidecar", "deep sidecar"],
)
def test_damaged_index_files_are_made_anew(filled, region):
    snapshot = filled.index_files("*-images-*.faiss")[0]
    content = bytearray(snapshot.read_bytes())
    sidecar = snapshot.with_suffix(".json")
    described = sidecar.read_text()
    places = {"header": 5, "codes": len(content) // 3, "ids": len(content) - 800, "end": len(content) - 1}
    match region:
        case "cut off":
            snapshot.write_bytes(content[:-100])
        case "gone":
            snapshot.unlink()
        case "sidecar":
            sidecar.write_text(described.replace('"dim": 4', '"dim": 5'))
        case "no sidecar":
            sidecar.unlink()
        case "other sidecar":
            sidecar.write_text("{")
        case "deep sidecar":
            sidecar.write_text("[" * 100_000)
        case _:
            content[places[region]] ^= 8
            snapshot.write_bytes(content)
    report = mend(filled, "snapshots")
    assert report.copies == ()
    assert sidecar.read_text() == described


def test_an_index_file_of_other_pictures(filled):
    """As when rows were put back with other numbers by hand."""
    with sql(filled) as connection:
        connection.execute("UPDATE image_embeddings SET part_id = 9000 WHERE part_id = 3")
        connection.execute("UPDATE files SET content_id = 9000 WHERE content_id = 3")
        connection.execute("UPDATE contents SET content_id = 9000 WHERE content_id = 3")
    report = mend(filled, "snapshots")
    assert "holds other pictures than the database" in report.findings[0].message


def test_left_over_index_files(filled):
    for name in (f"{_HEX}-images-{_HEX}.faiss", f"{_HEX}-captions-{_HEX}.json", f"{_HEX}-images.1.new"):
        path = filled.catalog / "indexes" / name
        path.touch(mode=0o600)
        os.utime(path, (time.time() - 3600, time.time() - 3600))
    mend(filled, "leftovers")
    assert filled.index_files("0123*") == []


def test_half_copies_of_the_database(filled):
    path = filled.catalog / ".clipsearch-1.new"
    path.touch(mode=0o600)
    assert check_catalog(filled.catalog).findings == ()  # somebody writes it just now
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    report = mend(filled, "leftovers")
    assert path.name in report.findings[0].message
    assert not path.exists()


def test_others_may_not_read_it(filled):
    for path in (filled.catalog, filled.catalog / "indexes"):
        path.chmod(0o755)
    for path in (filled.database, *filled.index_files("*")):
        path.chmod(0o644)
    mend(filled, "permissions")
    for path in (filled.catalog, *filled.catalog.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0


def test_a_folder_with_other_things_in_it_is_left_as_it_is(filled):
    (filled.catalog / "holiday.txt").write_text("mine")
    (filled.catalog / "holiday.txt").chmod(0o644)
    filled.catalog.chmod(0o755)
    assert check_catalog(filled.catalog).findings == ()


def test_what_is_not_wrong_is_told_all_the_same(place):
    place.paint("red")
    place.index()
    place.photos.rename(place.photos.with_name("away"))
    with sql(place) as connection:
        connection.execute("DELETE FROM image_embeddings")
        connection.execute("UPDATE models SET name = CAST('someone/some-model' AS BLOB), image_generation = 7")
    report = check_catalog(place.catalog, full=True)
    assert report.is_sound
    messages = [finding.message for finding in report.findings]
    assert messages == [
        "1 picture has no embedding of the model in use and can't be found",
        f"the folder {place.photos} is missing",
        "the files of the model someone/some-model are not on this machine",
    ]


# ---------------------------------------------------------------------- the file itself


def pages_of(place: Place, name: str) -> list[int]:
    with sql(place) as connection:
        return [
            row[0]
            for row in connection.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (name,))
        ]


def spoil(place: Place, *pages: int) -> None:
    content = bytearray(place.database.read_bytes())
    for page in pages:
        content[(page - 1) * 4096 : page * 4096] = b"\x55" * 4096
    place.database.write_bytes(content)


TABLES = ("files", "contents", "image_embeddings", "captions", "caption_embeddings")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("which", [0, -1])
def test_what_can_be_read_of_a_damaged_database_is_saved(filled, table, which):
    leaves = pages_of(filled, table)
    assert len(leaves) > 1
    spoil(filled, leaves[which])
    damaged = filled.database.read_bytes()
    report = mend(filled, "pages")
    for other in TABLES:
        whole = 300 if other.startswith("caption") else 305
        # What pointed at a lost row went with it.
        assert report.saved_rows[other] == whole or table in ("contents", "captions") or other == table
        assert report.saved_rows[other] > 0.25 * whole
    assert report.saved_rows[table] < (300 if table.startswith("caption") else 305)
    (kept,) = report.copies
    assert Path(kept).name.startswith("catalog.damaged-")
    assert sum(a != b for a, b in zip(Path(kept).read_bytes(), damaged, strict=True)) < 64  # but for counters


def test_many_damaged_pages(filled):
    spoil(filled, *(leaf for table in TABLES for leaf in pages_of(filled, table)[1:2]))
    mend(filled, "pages")


@pytest.mark.parametrize("seed", range(6))
def test_bits_that_flip_anywhere(filled, seed):
    """Whatever is hit: what is left is sound, or it is said that it is not and the file is as it was."""
    random = np.random.default_rng(seed)
    content = bytearray(filled.database.read_bytes())
    for position in random.integers(4096, len(content), 30):
        content[position] ^= 1 << int(random.integers(8))
    filled.database.write_bytes(content)
    report = check_catalog(filled.catalog, full=True, fix=True)
    assert report.is_sound, report.findings
    assert check_catalog(filled.catalog, full=True).is_sound
    with filled.open(model="colours") as catalog:  # the row of its model may be among what was hit
        catalog.index(filled.photos)
        for colour in COLOURS:
            assert catalog.search(colour, top_k=1)[0].score == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("index", ["sqlite_autoindex_files_1", "ix_files_content_id", "sqlite_autoindex_contents_1"])
def test_sqlites_own_indexes(filled, index):
    spoil(filled, *pages_of(filled, index)[:1])
    report = mend(filled, "pages")
    assert (report.saved_rows, len(report.copies)) == ({}, 1) or report.saved_rows["files"] == 305


def test_an_index_that_lacks_a_row(filled):
    """As after a power cut on a disk that lies: only --full compares."""
    with sql(filled) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'ix_files_content_id'").fetchone()
        connection.execute(
            "UPDATE sqlite_master SET sql = ? WHERE name = 'ix_files_content_id'", (made + " WHERE content_id > 1e9",)
        )
        connection.commit()
    with sql(filled) as connection:
        connection.execute("DELETE FROM files WHERE file_id = 300")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'ix_files_content_id'", (made,))
        connection.commit()
    assert check_catalog(filled.catalog).is_sound
    report = mend(filled, "database indexes", full=True)
    assert report.saved_rows == {}


def test_a_picture_whose_number_has_flipped_is_not_taken_for_another(filled):
    """SQLite would find nothing wrong once its index was made anew, and show one picture for the other."""
    with sql(filled) as connection:
        (page,) = connection.execute(
            "SELECT pageno FROM dbstat WHERE name = 'sqlite_autoindex_image_embeddings_1' AND pagetype = 'leaf' LIMIT 1"
        ).fetchone()
        good = filled.database.read_bytes()[(page - 1) * 4096 : page * 4096]
        one, other = connection.execute(
            "SELECT part_id FROM image_embeddings WHERE embedding_id IN (20, 21) ORDER BY embedding_id"
        ).fetchall()
        for number, (content_id,) in ((20, (-1,)), (21, one), (20, other)):
            connection.execute("UPDATE image_embeddings SET part_id = ? WHERE embedding_id = ?", (content_id, number))
    content = bytearray(filled.database.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = good
    filled.database.write_bytes(content)
    report = check_catalog(filled.catalog, full=True, fix=True)
    assert "database indexes" in fixed(report)
    assert_sound(filled)


@pytest.mark.parametrize("damage", ["magic", "header", "page size", "truncated", "first pages of others"])
def test_a_file_that_sqlite_does_not_open(filled, damage):
    content = bytearray(filled.database.read_bytes())
    match damage:
        case "magic":
            content[3] ^= 0x20
        case "header":
            content[:100] = bytes(100)
        case "page size":
            content[16:18] = b"\x12\x34"
        case "truncated":
            del content[3 * len(content) // 4 :]
        case "first pages of others":
            content[4096:8192] = b"\x55" * 4096
    filled.database.write_bytes(content)
    report = mend(filled, "pages")
    if damage in ("magic", "header", "page size"):
        assert (report.saved_rows["image_embeddings"], report.saved_rows["files"]) == (305, 305)


@pytest.mark.parametrize("content", [b"", b"no database", b"\x55" * 40_960])
def test_where_nothing_can_be_saved_nothing_is_changed(filled, content, command):
    filled.database.write_bytes(content)
    before = sorted(path.name for path in filled.catalog.iterdir())
    report = check_catalog(filled.catalog, fix=True)
    assert wrong(report) == {"pages", "repair"}
    assert filled.database.read_bytes() == content
    assert sorted(path.name for path in filled.catalog.iterdir()) == before
    code, out, _ = command("doctor", "--fix", "--catalog", filled.catalog)
    assert code == 1
    assert "nothing can be read of" in out
    assert "'clipsearch restore FILE'" in out


def test_when_mending_fails_the_old_file_is_in_its_place(filled, monkeypatch):
    spoil(filled, pages_of(filled, "contents")[0])
    damaged = filled.database.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(repair, "replace_database", fail)
    report = check_catalog(filled.catalog, fix=True)
    assert wrong(report) == {"pages", "repair"}
    assert report.saved_rows == {} or not report.is_sound
    assert filled.database.read_bytes() == damaged
    assert not [path for path in filled.catalog.iterdir() if path.name.startswith(".clipsearch")]


def test_a_reader_goes_on_while_its_catalog_is_salvaged(filled):
    with filled.open() as reader:
        reader.search("red")
        spoil(filled, pages_of(filled, "files")[1])
        check_catalog(filled.catalog, fix=True)
        with filled.open() as writer:
            writer.index(filled.photos)
        assert len(reader.search("red", top_k=1000)) == 305


def test_texts_that_are_none(filled):
    with sql(filled) as connection:
        connection.execute("UPDATE captions SET text = CAST(x'72ff65' AS TEXT) WHERE caption_id = 9")
        connection.execute("UPDATE contents SET camera = CAST(x'ff' AS TEXT), format = CAST(x'fe' AS TEXT)")
        connection.execute("UPDATE files SET skip_reason = CAST(x'ff' AS TEXT), content_id = NULL WHERE file_id = 9")
    mend(filled, "rows")


@pytest.mark.parametrize("position", [18, 19, 21, 44, 47, 56])
def test_single_bytes_of_the_header(filled, position):
    content = bytearray(filled.database.read_bytes())
    content[position] ^= 0x40
    filled.database.write_bytes(content)
    report = mend(filled, "pages")
    assert report.saved_rows["files"] == 305


def test_an_older_and_a_newer_schema(place, filled):
    old = (Path(__file__).parents[1] / "store" / "schema_0001.sql").read_text(encoding="utf-8")
    older = Place(place.catalog.with_name("older"), place.photos)
    older.catalog.mkdir(mode=0o700)
    with sql(older) as connection:
        connection.executescript(old)
    older.database.chmod(0o600)
    assert wrong(check_catalog(older.catalog)) == {"schema"}
    report = check_catalog(older.catalog, fix=True)
    assert report.is_sound
    assert len(report.copies) == 1
    with sql(filled) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = filled.database.read_bytes()
    report = check_catalog(filled.catalog, fix=True)
    assert wrong(report) == {"version"}
    assert "newer clipsearch" in report.findings[0].message
    assert filled.database.read_bytes() == before


def test_somebody_elses_database(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog.sqlite3")) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    (tmp_path / "catalog.sqlite3").chmod(0o600)
    before = (tmp_path / "catalog.sqlite3").read_bytes()
    assert wrong(check_catalog(tmp_path, fix=True)) >= {"version"}
    assert (tmp_path / "catalog.sqlite3").read_bytes() == before


def test_one_at_a_time(filled):
    filled.database.chmod(0o644)
    with contextlib.closing(Store(filled.catalog)) as store, store.writing():
        assert wrong(check_catalog(filled.catalog)) == {"permissions"}
        with pytest.raises(CatalogBusyError):
            check_catalog(filled.catalog, fix=True)


def test_a_large_catalog_is_sampled(filled, monkeypatch):
    from clipsearch.maintenance import checks

    monkeypatch.setattr(checks, "SAMPLE", 10)
    report = check_catalog(filled.catalog)
    assert (report.checked_embeddings, report.stored_embeddings) == (20, 605)
    assert (report.compared_rows, report.index_rows) == (20, 605)
    assert check_catalog(filled.catalog, full=True).checked_embeddings == 605
    with sql(filled) as connection:
        # Found by its length, and the others with it when they are mended.
        connection.execute("UPDATE image_embeddings SET embedding = x'00' WHERE embedding_id = 5")
        connection.execute("UPDATE image_embeddings SET embedding = zeroblob(8) WHERE embedding_id = 6")
    assert check_catalog(filled.catalog, fix=True).is_sound
    assert_sound(filled)


def test_the_command(filled, command):
    code, out, err = command("doctor", "--catalog", filled.catalog)
    assert (code, err) == (0, "")
    assert out == ("nothing is wrong; 605 of 605 embeddings and 605 of 605 rows of the index checked (--full: all)\n")
    with sql(filled) as connection:
        connection.execute("UPDATE image_embeddings SET embedding = x'00' WHERE embedding_id = 5")
    code, out, err = command("doctor", "--catalog", filled.catalog)
    first, last = out.splitlines()
    assert (code, err) == (1, "")
    assert first == (
        "error    1 embedding of pictures is not a unit-norm row of the model's length: 'clipsearch doctor --fix' "
        "repairs it: wrong embeddings are deleted; the next 'clipsearch index' computes them again"
    )
    assert last.startswith("1 problem; ")
    code, out, _ = command("doctor", "--catalog", filled.catalog, "--json")
    described = json.loads(out)
    assert (code, described["is_sound"], described["findings"][0]["check"]) == (1, False, "embeddings")
    code, out, err = command("doctor", "--fix", "--catalog", filled.catalog)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in lines] == ["fixed", "info", "kept", "nothing"]
    assert command("doctor", "--catalog", filled.catalog / "none")[0] == 3
    shutil.rmtree(filled.catalog)
    assert command("doctor", "--catalog", filled.catalog)[0] == 3
    with pytest.raises(CatalogNotFoundError), Catalog.open(filled.catalog):
        pass
