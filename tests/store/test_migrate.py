"""The migrations and the tables say the same, and an old catalog is upgraded and then used."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from PIL import Image
from sqlalchemy import create_engine

from clipsearch import Catalog, check_catalog
from clipsearch.errors import CatalogNotFoundError, ClipSearchNotice, SchemaOutdatedError, StoreError
from clipsearch.indexing import index_folders
from clipsearch.store import Scope, Store, migrate
from clipsearch.store.backends import connection
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.migrate import HEAD_REVISION, current_revision, migrations_folder, upgrade
from clipsearch.store.tables import metadata
from tests.support import command_line
from tests.support.fakes import COLOURS, ColourEncoder

pytestmark = pytest.mark.migrates


def test_head_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD_REVISION]


def test_migrations_make_exactly_the_tables(tmp_path):
    upgrade(tmp_path / "catalog.sqlite3")
    engine = create_engine(f"sqlite:///{tmp_path / 'catalog.sqlite3'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        made = dict(connection.exec_driver_sql("SELECT name, sql FROM sqlite_master").all())
    engine.dispose()
    # Row numbers are never given out twice: a snapshot knows what came after it by them.
    for table in ("contents", "captions", "image_embeddings", "caption_embeddings"):
        assert "AUTOINCREMENT" in made[table]


def test_opening_an_up_to_date_catalog_changes_nothing(tmp_path):
    Store(tmp_path, create=True).close()
    store = Store(tmp_path)
    assert store.backup is None
    assert current_revision(tmp_path / DATABASE_NAME) == HEAD_REVISION
    store.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path):
    store = Store(tmp_path, create=True)
    uuid = store.uuid
    store.close()
    database = tmp_path / DATABASE_NAME
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(SchemaOutdatedError, match=r"newer clipsearch.*9999"):
        Store(tmp_path)
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT uuid FROM catalog").fetchone() == (uuid,)
    connection.close()


@pytest.mark.parametrize("name", ["100% mine %(here)s", "%20", "what? really", "a#b", "ünï 写真", "mode=ro&x"])
def test_any_name_of_the_folder(tmp_path, name):
    Store(tmp_path / name, create=True).close()
    assert current_revision(tmp_path / name / DATABASE_NAME) == HEAD_REVISION
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_older_schema_is_upgraded_after_a_backup_and_then_used(tmp_path, monkeypatch):
    directory = tmp_path / "catalog"
    store = Store(directory, create=True)
    store.captions.add(["a caption from before"])
    store.close()

    later = tmp_path / "migrations"
    shutil.copytree(migrations_folder(), later)
    (later / "versions" / "9999_add_a_column.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision, down_revision, branch_labels, depends_on = '9999', '{HEAD_REVISION}', None, None\n"
        "def upgrade():\n    with op.batch_alter_table('captions') as table:\n"
        "        table.add_column(sa.Column('stars', sa.Integer()))\n"
    )
    monkeypatch.setattr(migrate, "migrations_folder", lambda: later)
    monkeypatch.setattr(migrate, "HEAD_REVISION", "9999")
    with pytest.warns(ClipSearchNotice, match="a copy of the old one"), Catalog.open(directory) as catalog:
        assert catalog.captions.list() == ["a caption from before"]
    assert current_revision(directory / DATABASE_NAME) == "9999"
    (backup,) = directory.glob("*.backup.sqlite3")
    assert current_revision(backup) == HEAD_REVISION
    assert backup.stat().st_mode & 0o077 == 0
    with contextlib.closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT text FROM captions").fetchall() == [("a caption from before",)]


def test_the_first_schema_is_upgraded_and_then_used(tmp_path):
    """`schema_0001.sql`: three squares were indexed, the green one was deleted, a broken file was skipped."""
    directory, photos = tmp_path / "catalog", tmp_path / "photos"
    directory.mkdir()
    photos.mkdir()
    old = (Path(__file__).parent / "schema_0001.sql").read_text(encoding="utf-8")
    with contextlib.closing(sqlite3.connect(directory / DATABASE_NAME)) as connection:
        connection.executescript(old)
        connection.execute("UPDATE roots SET path = ?", (os.fsencode(photos),))
        connection.commit()
    with contextlib.closing(Store(directory)) as store:
        assert store.backup is not None
        assert current_revision(store.backup) == "0001"
        assert current_revision(directory / DATABASE_NAME) == HEAD_REVISION
        encoder = ColourEncoder()
        model = store.reader.find_current_model()
        assert model.fingerprint == encoder.fingerprint
        assert store.pictures.counts() == (2, 2, 1)
        assert store.roots.list_all() == [Scope(1, str(photos), "")]
        for colour in ("red", "green", "blue"):
            Image.new("RGB", (16, 12), COLOURS[colour]).save(photos / f"{colour}.png")
        report = index_folders(store.roots.list_all(), store=store, encoder=encoder, model_id=model.model_id)
        # The broken one is gone; the others have the contents that are known, the deleted one too.
        assert (report.embedded, report.reused, report.moved, report.removed) == (0, 3, 0, 1)
        assert sorted(store.reader.paths([1, 2, 3]).values()) == [
            [str(photos / f"{colour}.png")] for colour in ("blue", "green", "red")
        ]


def test_the_command_line_upgrades_the_first_schema_and_searches_it(tmp_path, colours):
    directory, photos = tmp_path / "catalog", tmp_path / "photos"
    directory.mkdir()
    photos.mkdir()
    with contextlib.closing(sqlite3.connect(directory / DATABASE_NAME)) as connection:
        connection.executescript((Path(__file__).parent / "schema_0001.sql").read_text(encoding="utf-8"))
        connection.execute("UPDATE roots SET path = ?", (os.fsencode(photos),))
        connection.commit()
    for colour in ("red", "green", "blue"):
        Image.new("RGB", (16, 12), COLOURS[colour]).save(photos / f"{colour}.png")

    backup = directory / "catalog.schema-0001.backup.sqlite3"
    first = command_line.run("query", "red", "-k", "1", "--paths", "--catalog", directory)
    assert first.stdout == f"{photos / 'red.png'}\n"
    assert first.stderr == f"clipsearch: the catalog was upgraded; a copy of the old one is {backup}\n"
    again = command_line.run("query", "red", "-k", "1", "--paths", "--catalog", directory)
    assert (again.stdout, again.stderr) == (first.stdout, "")
    # As docs/upgrading.md says it: nothing is embedded again, measures are read, and the copy is the way back.
    indexed = command_line.run("index", photos, "--again", "--catalog", directory)
    assert indexed.stdout.startswith("0 indexed, ")
    measured = command_line.run("query", "sharp:>=0", "--paths", "--catalog", directory)
    assert len(measured.stdout.splitlines()) == 3
    shutil.copy(backup, directory / DATABASE_NAME)
    assert current_revision(directory / DATABASE_NAME) == "0001"


@pytest.fixture
def former(tmp_path) -> Path:
    """`schema_0010.sql`, before parts: as `schema_0001.sql`, with a caption, and the concept "warm" of the blue one."""
    directory = tmp_path / "catalog"
    directory.mkdir()
    (tmp_path / "photos").mkdir()
    old = (Path(__file__).parent / "schema_0010.sql").read_text(encoding="utf-8")
    with contextlib.closing(sqlite3.connect(directory / DATABASE_NAME)) as connection:
        connection.executescript(old)
        connection.execute("UPDATE roots SET path = ?", (os.fsencode(tmp_path / "photos"),))
        connection.commit()
    return directory


def paint_parts(photos: Path) -> None:
    """The three squares, a document of three pages, and a picture so long that it is indexed in crops."""
    for colour in ("red", "green", "blue"):
        Image.new("RGB", (16, 12), COLOURS[colour]).save(photos / f"{colour}.png")
    cover, *others = [Image.new("RGB", (40, 30), COLOURS[colour]) for colour in ("red", "green", "blue")]
    cover.save(photos / "pages.tif", save_all=True, append_images=others)
    image = Image.new("RGB", (1600, 200), "blue")
    image.paste("red", (0, 0, 200, 200))
    image.save(photos / "long.png")


def test_a_catalog_without_parts_is_upgraded_and_then_gets_some(former, tmp_path, colours):
    photos = tmp_path / "photos"
    paint_parts(photos)
    with pytest.warns(ClipSearchNotice, match="a copy of the old one"), Catalog.open(former) as catalog:
        assert catalog.captions.list() == ["a caption from before"]
        assert {hit.content_id for hit in catalog.search("red", top_k=9)} == {1, 3}  # the green one was deleted
        report = catalog.index(photos)
        assert (report.embedded, report.reused) == (2, 3)
        assert catalog.concepts.get("warm").positives == (1,)
        parts = {hit.path.rsplit("/", 1)[1]: hit.part for hit in catalog.search("red", top_k=9)}
        assert parts["pages.tif"].page == 1
        assert parts["long.png"].kind == "crop"
        assert parts["red.png"] is None
        # No id is issued again.
        assert min(catalog.search("blue type:tiff")[0].content_id, catalog.search("path:long")[0].content_id) > 3
    assert [finding for finding in check_catalog(former, full=True).findings if finding.severity == "error"] == []
    assert current_revision(former / "catalog.schema-0010.backup.sqlite3") == "0010"


def test_parts_are_dropped_by_a_downgrade_and_come_back(former, tmp_path, colours):
    photos = tmp_path / "photos"
    paint_parts(photos)
    with pytest.warns(ClipSearchNotice), Catalog.open(former) as catalog:
        catalog.index(photos)
        before = {(hit.path, hit.score) for hit in catalog.search("blue", top_k=9)}
    config = migrate.alembic_config()
    engine = create_engine(f"sqlite:///{former / DATABASE_NAME}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0010")
    engine.dispose()
    with contextlib.closing(sqlite3.connect(former / DATABASE_NAME)) as connection:
        assert connection.execute("SELECT count(*) FROM image_embeddings").fetchone() == (5,)
        assert "parts" not in {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    with pytest.warns(ClipSearchNotice), Catalog.open(former) as catalog:
        assert len(catalog.search("blue", top_k=9)) == len(before)
        assert all(hit.part is None for hit in catalog.search("blue", top_k=9))
        assert catalog.index(photos, detail=True).embedded == 5  # their parts are not known
        assert {(hit.path, hit.score) for hit in catalog.search("blue", top_k=9)} == before
    assert [finding for finding in check_catalog(former, full=True).findings if finding.severity == "error"] == []


def test_a_failing_upgrade_leaves_the_old_catalog(tmp_path, monkeypatch):
    directory = tmp_path / "catalog"
    Store(directory, create=True).close()
    later = tmp_path / "migrations"
    shutil.copytree(migrations_folder(), later)
    (later / "versions" / "9999_break.py").write_text(
        "from alembic import op\n"
        f"revision, down_revision, branch_labels, depends_on = '9999', '{HEAD_REVISION}', None, None\n"
        "def upgrade():\n    op.drop_table('runs')\n    op.execute('nonsense')\n"
    )
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "migrations_folder", lambda: later)
        patched.setattr(migrate, "HEAD_REVISION", "9999")
        with pytest.raises(StoreError, match="can't upgrade"):
            Store(directory)
    store = Store(directory)
    assert store.runs.find_last() is None
    store.close()


def test_several_processes_may_make_a_catalog_at_once(tmp_path):
    code = (
        "import sys; from pathlib import Path; from clipsearch.store import Store; "
        "print(Store(Path(sys.argv[1]), create=True).uuid)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "catalog")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = [process.communicate(timeout=60)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert len(set(answers)) == 1


def test_a_new_catalog_opens_while_another_process_holds_it(tmp_path, monkeypatch):
    Store(tmp_path, create=True).close()
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.1)
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)) as other:
        # As it is between the making of the tables and the change to WAL, with somebody reading.
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN")
        other.execute("SELECT * FROM catalog").fetchall()
        with contextlib.closing(Store(tmp_path)) as store:
            assert store.models.list_all() == ()
        other.execute("COMMIT")
    with contextlib.closing(Store(tmp_path)) as store:
        assert store.models.list_all() == ()
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("content", [b"this is no database, not at all", b"SQLite format 3\0" + b"\xff" * 200])
def test_a_file_that_is_no_database(tmp_path, content):
    (tmp_path / DATABASE_NAME).write_bytes(content)
    with pytest.raises(StoreError, match="can't open the catalog"):
        Store(tmp_path)
    assert (tmp_path / DATABASE_NAME).read_bytes() == content


def test_somebody_elses_database_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / DATABASE_NAME) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="not a clipsearch catalog"):
        Store(tmp_path)


def test_no_catalog(tmp_path):
    with pytest.raises(CatalogNotFoundError, match="clipsearch index FOLDER"):
        Store(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_catalog_is_for_its_owner_only(tmp_path):
    Store(tmp_path / "mine", create=True).close()
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o700
    for file in Path(tmp_path / "mine").iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_a_full_disk_while_a_catalog_is_made(tmp_path):
    code = (
        "import resource, sys; from pathlib import Path; from clipsearch.errors import StoreError\n"
        "from clipsearch.store import Store\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))\n"
        "try: Store(Path(sys.argv[1]), create=True)\n"
        "except StoreError as error: print(error)\n"
    )
    pytest.importorskip("resource", reason="limits of POSIX")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"can't make the catalog {tmp_path / DATABASE_NAME}: ")
    assert done.stdout.count("\n") == 1
    Store(tmp_path, create=True).close()
