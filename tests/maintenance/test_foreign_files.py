"""What a stranger made: a database, index files, links. Nothing outside of the catalog is read, written or deleted."""

import contextlib
import os
import shutil
import sqlite3
import struct
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from clipsearch import Catalog, ClipSearchNotice, check_catalog, restore_catalog
from clipsearch.encoders import load
from clipsearch.errors import ClipSearchError, ForeignSchemaError, StoreError, VectorIndexError
from clipsearch.indexes import layout
from clipsearch.indexes.snapshot import file_checksum
from clipsearch.maintenance import backups
from clipsearch.store import Store
from clipsearch.store.migrate import HEAD_REVISION
from tests.support.catalog_place import Place, names
from tests.support.fakes import ColourEncoder

posix = pytest.mark.skipif(os.name != "posix", reason="links and rights of POSIX")

TRIGGER = "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM files; DELETE FROM image_embeddings; END"
ENDLESS = (
    "CREATE TRIGGER t AFTER UPDATE ON models BEGIN DELETE FROM captions WHERE caption_id IN "
    "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT -i FROM n); END"
)
VIEW = "CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"


def sql(file: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            connection.execute(statement, values)
        connection.commit()


@pytest.fixture(scope="module")
def _three(tmp_path_factory) -> Place:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(load, "load_encoder", lambda options: ColourEncoder(options.name))
        folder = tmp_path_factory.mktemp("three")
        made = Place(folder / "catalog", folder / "photos")
        for name in ("red", "green", "blue"):
            made.paint(name)
        made.index()
    return made


@pytest.fixture
def red(_three, tmp_path, colours) -> Place:
    """A copy of a catalog of three pictures, which stay where they were."""
    shutil.copytree(_three.catalog, tmp_path / "catalog")
    return Place(tmp_path / "catalog", _three.photos)


@pytest.fixture
def backup(red, tmp_path) -> Path:
    with red.open() as catalog:
        catalog.admin.backup(tmp_path / "b.sqlite3")
    return tmp_path / "b.sqlite3"


@pytest.mark.parametrize("statement", [TRIGGER, ENDLESS, VIEW, "CREATE INDEX i ON files (hex(relative_path))"])
def test_a_backup_that_acts_by_itself_is_not_restored(red, backup, statement):
    sql(backup, statement)
    before = red.database.read_bytes()
    with pytest.raises(ForeignSchemaError, match="was not restored"):
        restore_catalog(backup, red.catalog)
    assert red.database.read_bytes() == before
    with pytest.raises(ForeignSchemaError):
        restore_catalog(backup, red.catalog.with_name("new"))
    assert not red.catalog.with_name("new").exists()


@pytest.mark.parametrize(
    "statement",
    [
        TRIGGER,
        ENDLESS,
        VIEW,
        "CREATE TABLE more (x)",
        "ALTER TABLE contents ADD COLUMN g TEXT AS (hex(zeroblob(100000000)))",
        "CREATE INDEX i ON files (hex(relative_path))",
    ],
)
def test_a_catalog_that_acts_by_itself_is_not_used_and_its_rows_are_saved(red, statement):
    sql(red.database, statement)
    for use in (red.open, lambda: Store(red.catalog)):
        with pytest.raises(ForeignSchemaError, match="doctor --fix"):
            use()
    report = check_catalog(red.catalog)
    assert [finding.check for finding in report.findings] == ["foreign"]
    report = check_catalog(red.catalog, fix=True)
    assert report.is_sound and len(report.copies) == 1
    assert sorted(red.find("red")) == ["blue", "green", "red"]
    with red.open() as catalog:
        assert catalog.index(red.photos).unchanged == 3


def test_a_table_that_is_a_view_is_lost_and_the_others_are_saved(red):
    with red.open() as catalog:
        catalog.captions.add(["a red thing"])
    endless = (
        "AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS caption_id, i AS text FROM n"
    )
    sql(red.database, "DROP TABLE captions", f"CREATE VIEW captions {endless}")
    report = check_catalog(red.catalog, fix=True)
    assert report.is_sound and report.saved_rows["captions"] == 0
    assert names(red.open(), "red", 1) == ["red"]


@pytest.mark.parametrize("table", ["models", "catalog", "roots"])
@pytest.mark.parametrize("revision", [HEAD_REVISION, "9999"])
def test_what_is_there_is_replaced_without_being_asked_where_it_acts_by_itself(red, backup, table, revision):
    columns = ["image_generation", "caption_generation", "uuid", "index_url", "path", "removed_at", "root_id"]
    endless = (
        "AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
        f"{', '.join(f'max(i) AS {name}' for name in columns)} FROM n"
    )
    sql(red.database, f"DROP TABLE {table}", f"CREATE VIEW {table} {endless}")
    sql(red.database, "UPDATE alembic_version SET version_num = ?", values=(revision,))
    assert restore_catalog(backup, red.catalog, roots=[red.photos]).pictures == 3
    assert sorted(red.find("red")) == ["blue", "green", "red"]


def test_a_root_that_the_backup_does_not_have_is_told(red, backup, tmp_path):
    with pytest.warns(ClipSearchNotice, match=f"the backup has no folder at or below {tmp_path / 'fotos'}: it has"):
        restore_catalog(backup, red.catalog, roots=[tmp_path / "fotos"])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ClipSearchNotice)
        restore_catalog(backup, red.catalog, roots=[red.photos, red.photos.parent])


FINGERPRINTS = ["../../*", "../" * 22, "*" * 64, "A" * 64, "ab" * 31 + "\n\n", "", "[a-z]" * 13, 7, b"ab" * 32]


@pytest.mark.parametrize("fingerprint", FINGERPRINTS)
def test_a_fingerprint_that_is_none_leads_nowhere(red, fingerprint, tmp_path, command):
    victim = tmp_path / "holiday-images-2024.zip"
    victim.write_text("precious")
    sql(red.database, "UPDATE models SET fingerprint = ?", values=(fingerprint,))
    before = {path for path in tmp_path.rglob("*") if "photos" not in path.parts}
    for arguments in (("query", "id:1"), ("reindex",), ("gc",), ("status",), ("doctor",)):
        code, _, err = command(*arguments, "--catalog", red.catalog)
        assert "Traceback" not in err and len(err.splitlines()) <= 1
        assert code in (0, 1)
    backup = tmp_path / "own.sqlite3"
    with contextlib.closing(sqlite3.connect(red.database)) as source, contextlib.closing(sqlite3.connect(backup)) as to:
        source.backup(to)
    with pytest.raises(StoreError, match="not restored"):
        restore_catalog(backup, red.catalog)
    backup.unlink()
    assert {path for path in tmp_path.rglob("*") if "photos" not in path.parts and path.suffix != ".lock"} <= before
    report = check_catalog(red.catalog, fix=True)
    assert report.is_sound, report.findings
    assert victim.read_text() == "precious"


@posix
def test_a_database_that_is_a_pipe_is_not_waited_for(red, backup, command):
    red.database.unlink()
    os.mkfifo(red.database)
    for arguments in (("query", "red"), ("doctor", "--fix"), ("restore", backup), ("backup", red.catalog / "b")):
        code, _, err = command(*arguments, "--catalog", red.catalog)
        assert code == 1 and len(err.splitlines()) == 1, arguments


@pytest.mark.parametrize("seq", [(1 << 63) - 1, 1 << 53, (1 << 31) - 1, "x", -5])
def test_row_numbers_that_leave_none_are_not_restored(red, backup, seq):
    sql(backup, "UPDATE sqlite_sequence SET seq = ?", values=(seq,))
    with pytest.raises(StoreError, match="not restored"):
        restore_catalog(backup, red.catalog)
    sql(red.database, "UPDATE sqlite_sequence SET seq = ?", values=(seq,))
    sql(backup, "UPDATE sqlite_sequence SET seq = 10")
    restore_catalog(backup, red.catalog)
    with red.open() as catalog:
        assert catalog.captions.add(["a white thing"]).added == 1


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("UPDATE models SET dim = ?", 1 << 40),
        ("UPDATE models SET dim = ?", "4; DROP"),
        ("UPDATE models SET image_generation = ?", "x"),
        ("UPDATE models SET name = ?", 5),
        ("UPDATE catalog SET uuid = ?", "../../etc"),
        ("UPDATE catalog SET uuid = ?", 'a" or true or "'),
        ("UPDATE catalog SET index_url = ?", b"milvus://x"),
        ("UPDATE files SET relative_path = ? WHERE file_id = 1", b"../../secret.png"),
        ("UPDATE files SET relative_path = ? WHERE file_id = 1", b"/etc/secret.png"),
        ("UPDATE files SET relative_path = ? WHERE file_id = 1", b"a\0b"),
        ("UPDATE files SET relative_path = ? WHERE file_id = 1", 7),
        ("UPDATE roots SET path = ?", b"photos"),
        ("UPDATE roots SET path = ?", b"/ph\0otos"),
        ("UPDATE roots SET path = ?", 3.5),
        ("UPDATE contents SET blake3 = ? WHERE content_id = 1", b"short"),
        ("UPDATE contents SET size_bytes = ? WHERE content_id = 1", "large"),
        ("UPDATE contents SET taken_at = ? WHERE content_id = 1", "now"),
        ("UPDATE runs SET started_at = ?", -1.5),
        ("UPDATE runs SET seconds = ?", b"x"),
        ("UPDATE files SET file_id = ? WHERE file_id = 1", (1 << 31) + 1),
        ("UPDATE files SET file_id = ? WHERE file_id = 1", -7),
        ("UPDATE contents SET content_id = ? WHERE content_id = 1", 1 << 52),
        ("UPDATE roots SET root_id = ?", (1 << 31) + 1),
        ("UPDATE image_embeddings SET embedding_id = ? WHERE embedding_id = 1", (1 << 53) + 1),
        ("UPDATE sqlite_sequence SET seq = ?", (1 << 63) - 1),
        ("UPDATE sqlite_sequence SET seq = ?", "x"),
    ],
)
def test_values_that_can_not_be_are_found_and_mended(red, statement, value, command):
    sql(red.database, statement, values=(value,))
    for arguments in (("query", "id:1"), ("query", "red"), ("status",), ("reindex",), ("gc",), ("dupes",)):
        code, out, err = command(*arguments, "--catalog", red.catalog)
        assert "Traceback" not in err and code in (0, 1, 2, 4), err
        assert "secret" not in out
    assert "rows" in {finding.check for finding in check_catalog(red.catalog).findings}
    report = check_catalog(red.catalog, fix=True)
    assert report.is_sound, report.findings
    red.index()
    assert sorted(red.find("red")) == ["blue", "green", "red"]


@pytest.mark.parametrize(
    ("table", "column", "number"),
    [
        ("files", "file_id", (1 << 31) + 1),
        ("files", "file_id", -1),
        ("contents", "content_id", 1 << 40),
        ("captions", "caption_id", 1 << 32),
        ("roots", "root_id", 1 << 53),
    ],
)
def test_row_numbers_that_can_not_be_are_not_restored(red, backup, table, column, number):
    with red.open() as catalog:
        catalog.captions.add(["a red thing"])
        catalog.admin.backup(backup, force=True)
    sql(backup, f"UPDATE {table} SET {column} = ? WHERE {column} = 1", values=(number,))
    with pytest.raises(StoreError, match="not restored"):
        restore_catalog(backup, red.catalog)


@pytest.mark.parametrize(
    ("name", "value"),
    [("blake3", "../../x"), ("blake3", "*" * 64), ("kind", "../x"), ("row_count", "x"), ("row_count", -1)]
    + [("ann", text) for text in ("{}", "[[[", '{"nlist": 1e9}')],
)
@pytest.mark.filterwarnings("ignore:the index .* is damaged")
def test_an_index_file_that_can_not_be_is_made_anew(red, name, value):
    sql(red.database, f"UPDATE snapshots SET {name} = ?", values=(value,))
    with red.open() as catalog:
        catalog.admin.status()
        assert names(catalog, "red", 1) == ["red"]
        catalog.index(red.photos)
        catalog.admin.reindex()
        catalog.admin.collect_garbage()
    assert check_catalog(red.catalog).is_sound


@pytest.fixture
def home(tmp_path) -> Path:
    """Somebody's files, old and open to all, some with names like those of index files."""
    folder = tmp_path / "home"
    folder.mkdir()
    hexes = "0123456789abcdef"
    for name in ("package.json", "a.faiss", "x.new", f"{hexes}-images-{hexes}.faiss", f"{hexes}-images.1.new"):
        (folder / name).write_text("precious")
        (folder / name).chmod(0o644)
        os.utime(folder / name, (1e9, 1e9))
    folder.chmod(0o755)
    return folder


def state(folder: Path) -> dict[str, tuple[int, str]]:
    return {path.name: (path.stat().st_mode, path.read_text()) for path in (*folder.iterdir(),)} | {
        "": (folder.stat().st_mode, "")
    }


@posix
def test_nothing_happens_behind_a_link_in_the_place_of_the_index_files(red, backup, home, command):
    before = state(home)
    for path in red.index_files("*"):
        path.unlink()
    (red.catalog / "indexes").rmdir()
    (red.catalog / "indexes").symlink_to(home)
    for arguments in (
        ("query", "red"),
        ("index", red.photos),
        ("reindex",),
        ("gc",),
        ("doctor", "--fix"),
        ("restore", backup),
        ("status",),
    ):
        code, _, err = command(*arguments, "--catalog", red.catalog)
        assert state(home) == before, arguments
        assert "Traceback" not in err and code in (0, 1)
    with pytest.raises(VectorIndexError, match="is a link"), red.open() as catalog:
        catalog.admin.reindex()


@posix
@pytest.mark.parametrize("kind", ["link", "dead link", "file", "pipe"])
def test_what_is_in_the_place_of_the_index_files_is_told(red, home, kind, command):
    folder = red.catalog / "indexes"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    match kind:
        case "link":
            folder.symlink_to(home)
        case "dead link":
            folder.symlink_to(home / "none")
        case "file":
            folder.write_text("precious")
        case "pipe":
            os.mkfifo(folder)
    code, out, err = command("reindex", "--catalog", red.catalog)
    assert (code, out, len(err.splitlines())) == (1, "", 1) and str(folder) in err
    code, out, err = command("doctor", "--catalog", red.catalog)
    assert (code, err) == (1, "") and out.count(str(folder)) == 1
    code, out, _ = command("query", "red", "-k", "1", "--catalog", red.catalog)
    assert code == 0 and "red.png" in out
    assert not folder.is_file() or folder.read_text() == "precious"


@posix
def test_only_index_files_of_its_own_form_are_deleted_and_closed(red, home):
    folder = red.catalog / "indexes"
    hexes = "fedcba9876543210"
    (folder / "package.json").write_text("mine")
    (folder / f"{hexes}-images-{hexes}.faiss").symlink_to(home / "a.faiss")
    (folder / f"{hexes}-images-{hexes}.json").mkdir()
    for name in ("package.json", f"{hexes}-images-{hexes}.json"):
        os.utime(folder / name, (1e9, 1e9))
    with red.open() as catalog:
        assert catalog.admin.collect_garbage().index_files == 0
    check_catalog(red.catalog, fix=True)
    restore = red.catalog.with_name("c.sqlite3")
    with red.open() as catalog:
        catalog.admin.backup(restore)
    restore_catalog(restore, red.catalog)
    assert {"package.json", f"{hexes}-images-{hexes}.faiss", f"{hexes}-images-{hexes}.json"} <= {
        path.name for path in folder.iterdir()
    }
    assert (home / "a.faiss").read_text() == "precious"


@posix
@pytest.mark.parametrize("name", ["catalog.sqlite3", "writer.lock", "catalog.schema-0001.backup.sqlite3"])
def test_links_in_the_place_of_the_catalogs_own_files(red, backup, name, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(red.database.read_bytes() if name == "catalog.sqlite3" else b"precious")
    before = victim.read_bytes()
    (red.catalog / name).unlink(missing_ok=True)
    (red.catalog / name).symlink_to(victim)
    with contextlib.suppress(ClipSearchError):
        restore_catalog(backup, red.catalog)
    with contextlib.suppress(ClipSearchError):
        check_catalog(red.catalog, fix=True)
    assert victim.read_bytes() == before


@posix
@pytest.mark.parametrize("is_dead", [False, True])
def test_a_database_that_is_a_link_is_refused_by_all_in_the_same_words(red, backup, is_dead, tmp_path, command):
    elsewhere = tmp_path / "elsewhere.sqlite3"
    red.database.rename(elsewhere)
    red.database.symlink_to(tmp_path / "none" if is_dead else elsewhere)
    before, there = elsewhere.read_bytes(), sorted(tmp_path.rglob("*"))
    said = set()
    for arguments in (
        ("index", red.photos),
        ("query", "red"),
        ("status",),
        ("restore", backup),
        ("backup", tmp_path / "copy.sqlite3"),
        ("doctor",),
        ("doctor", "--fix"),
        ("gc",),
        ("reindex",),
        ("captions", "list"),
    ):
        code, out, err = command(*arguments, "--catalog", red.catalog)
        assert (code, out) == (1, ""), arguments
        said.add(err)
    assert len(said) == 1 and f"{red.database} is a link" in said.pop()
    assert elsewhere.read_bytes() == before and sorted(tmp_path.rglob("*")) == there


@posix
def test_a_catalog_whose_folder_is_a_link_goes_on(red, backup, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(red.catalog)
    with Catalog.open(link) as catalog:
        assert names(catalog, "red", 1) == ["red"]
        catalog.admin.reindex()
        (red.catalog / ".clipsearch-abcdefgh.new").touch()
        os.utime(red.catalog / ".clipsearch-abcdefgh.new", (1e9, 1e9))
        catalog.admin.collect_garbage()
    assert not (red.catalog / ".clipsearch-abcdefgh.new").exists()
    assert restore_catalog(backup, link).pictures == 3
    assert check_catalog(link, fix=True).is_sound


def in_the_place_of_the_index(place: Place, content: bytes) -> None:
    """As whoever makes both can: the database names the file with its right checksum."""
    (path,) = [path for path in place.index_files() if "-images-" in path.name]
    path.write_bytes(content)
    checksum = file_checksum(path)
    fresh = path.with_name(f"{path.stem[:-16]}{checksum[:16]}.faiss")
    path.rename(fresh)
    path.with_suffix(".json").rename(fresh.with_suffix(".json"))
    sql(place.database, "UPDATE snapshots SET blake3 = ? WHERE kind = 'images'", values=(checksum,))


@pytest.mark.parametrize("change", ["huge vector", "other kind", "other metric", "more rows", "longer", "nested"])
def test_an_index_file_with_a_right_checksum_that_is_none_is_not_read(red, change, monkeypatch):
    (path,) = [path for path in red.index_files() if "-images-" in path.name]
    content = bytearray(path.read_bytes())
    match change:
        case "huge vector":
            at = content.index(b"IxSQ") + 4 + 33 + 36
            content[at : at + 8] = struct.pack("<Q", 1 << 39)
        case "other kind":
            content[:4] = b"IxHL"
        case "other metric":
            content[33:37] = struct.pack("<i", 1)
        case "more rows":
            content[8:16] = struct.pack("<q", 1 << 40)
        case "longer":
            content += b"\0" * 8
        case "nested":
            content = content[:37] * 1000 + content
    in_the_place_of_the_index(red, bytes(content))
    with pytest.warns(ClipSearchNotice, match="rebuilt"), red.open() as catalog:
        assert names(catalog, "red", 1) == ["red"]
    in_the_place_of_the_index(red, bytes(content))
    assert check_catalog(red.catalog, fix=True).is_sound


@posix
def test_an_index_file_that_is_a_pipe_is_not_waited_for(red):
    (path,) = [path for path in red.index_files() if "-images-" in path.name]
    path.unlink()
    os.mkfifo(path)
    with pytest.warns(ClipSearchNotice, match="rebuilt"), red.open() as catalog:
        assert names(catalog, "red", 1) == ["red"]


def test_an_index_that_was_written_here_has_the_layout_that_is_looked_for(red):
    (path,) = [path for path in red.index_files() if "-images-" in path.name]
    layout.check_layout(path, dim=4, count=3)


def test_a_file_that_claims_more_than_the_disk_has_is_not_copied(red, backup, monkeypatch):
    monkeypatch.setattr(backups.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(StoreError, match="not enough space"):
        restore_catalog(backup, red.catalog)
    assert red.find("red", 1) == ["red"]
