"""A database that acts by itself is not opened, not restored and not upgraded; what it would do is not done."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from clipsearch.errors import ForeignSchemaError, StoreError
from clipsearch.store import Store, schema
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.migrate import HEAD_REVISION, current_revision, upgrade
from clipsearch.store.schema import KNOWN_REVISION, OBJECTS, check_objects

pytestmark = pytest.mark.migrates

ACTING = {
    "trigger": "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM files; END",
    "endless trigger": "CREATE TRIGGER t AFTER UPDATE ON models BEGIN "
    "INSERT INTO captions (text, added_at) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT i, i FROM n; END",
    "view": "CREATE VIEW v AS SELECT * FROM files",
    "virtual table": "CREATE VIRTUAL TABLE words USING dbstat",
    "generated column": "ALTER TABLE files ADD COLUMN g TEXT AS (hex(zeroblob(1000000)))",
    "default": "CREATE TABLE more (g VARCHAR DEFAULT (hex(1)))",
    "check": "CREATE TABLE more (g INTEGER, CHECK (g > hex(zeroblob(1000000))))",
    "collation": "CREATE TABLE more (g VARCHAR COLLATE nocase)",
    "conflict": "CREATE TABLE more (g VARCHAR UNIQUE ON CONFLICT REPLACE)",
    "cascade": "CREATE TABLE more (g INTEGER REFERENCES files (file_id) ON DELETE CASCADE)",
    "foreign key": "ALTER TABLE roots ADD COLUMN g INTEGER REFERENCES files (file_id) ON DELETE CASCADE",
    "partial index": "CREATE INDEX i ON files (root_id) WHERE hex(file_id) > 1",
    "index on an expression": "CREATE INDEX i ON files (hex(relative_path))",
    "comment": "CREATE TABLE more (g INTEGER /* , */)",
    "strict": "CREATE TABLE more (g INTEGER) STRICT",
    "without rowid": "CREATE TABLE more (g INTEGER PRIMARY KEY) WITHOUT ROWID",
}
ODD = {
    "table": "CREATE TABLE more (g INTEGER)",
    "index": "CREATE INDEX i ON files (root_id)",
    "unique index": "CREATE UNIQUE INDEX i ON files (root_id)",
    "column": "ALTER TABLE files ADD COLUMN g INTEGER",
    "missing table": "DROP TABLE label_sets",
    "missing index": "DROP INDEX ix_files_content_id",
    "missing column": "ALTER TABLE roots DROP COLUMN exclude",
    "two versions": "INSERT INTO alembic_version VALUES ('0001')",
}


@pytest.fixture(scope="module")
def _made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    Store(folder, create=True).close()
    return folder / DATABASE_NAME


@pytest.fixture
def database(_made, tmp_path) -> Path:
    return Path(shutil.copy(_made, tmp_path))


def change(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        for statement in statements:
            try:
                connection.execute(statement)
            except sqlite3.OperationalError as error:
                if "no such module" not in str(error):
                    raise
                pytest.skip("SQLite was built without it")
        connection.commit()


def old_database(folder: Path, *statements: str) -> Path:
    folder.mkdir()
    database = folder / DATABASE_NAME
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript((Path(__file__).parent / "schema_0001.sql").read_text(encoding="utf-8"))
    change(database, *statements)
    return database


def test_what_is_known_is_what_the_migrations_make(database):
    assert KNOWN_REVISION == HEAD_REVISION
    with closing(sqlite3.connect(database)) as connection:
        objects = connection.execute(OBJECTS).fetchall()
    check_objects(objects, is_newest=True)
    for number in range(len(objects)):
        if objects[number][3] is not None and not objects[number][1].startswith("sqlite_"):
            with pytest.raises(ForeignSchemaError, match=f"no {objects[number][1]}"):
                check_objects(objects[:number] + objects[number + 1 :], is_newest=True)


def test_statistics_of_sqlite_are_no_harm(database):
    change(database, "ANALYZE")
    Store(database.parent).close()


@pytest.mark.parametrize("what", [*ACTING, *ODD])
def test_what_clipsearch_has_not_made_is_not_opened(database, what):
    change(database, (ACTING | ODD)[what])
    before = database.read_bytes()
    with pytest.raises(ForeignSchemaError, match="doctor --fix"):
        Store(database.parent)
    assert database.read_bytes() == before


@pytest.mark.parametrize("what", ACTING)
def test_an_older_schema_is_looked_at_before_it_is_upgraded(tmp_path, what):
    database = old_database(tmp_path / "old", ACTING[what])
    before = database.read_bytes()
    with pytest.raises(ForeignSchemaError):
        Store(database.parent)
    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == [DATABASE_NAME]


@pytest.mark.parametrize("statement", [ODD["table"], "ALTER TABLE captions ADD COLUMN stars INTEGER"])
def test_an_older_schema_with_something_more_is_upgraded_to_nothing(tmp_path, statement):
    database = old_database(tmp_path / "old", statement)
    with pytest.raises(ForeignSchemaError):
        upgrade(database)
    assert current_revision(database) == "0001"


@pytest.mark.parametrize("text", ["CREATE TABLE files (file_id)", "", "CREATE TABLE x (y)", None, "CREATE VIEW files"])
def test_texts_that_were_written_into_the_schema(database, text):
    change(database, "PRAGMA writable_schema = ON")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'files'", (text,))
        connection.commit()
    with pytest.raises(StoreError):
        Store(database.parent)


@pytest.mark.parametrize("version", ["9999", "0000", "x' OR 1", "", 7, b"0006"])
def test_versions_that_are_none(database, version):
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
        connection.commit()
    with pytest.raises(StoreError):
        Store(database.parent)


def test_a_version_table_that_is_a_view_is_not_asked(tmp_path):
    database = tmp_path / DATABASE_NAME
    change(
        database,
        "CREATE VIEW alembic_version AS WITH RECURSIVE n(version_num) AS "
        "(SELECT 1 UNION ALL SELECT version_num + 1 FROM n) SELECT max(version_num) AS version_num FROM n",
    )
    with pytest.raises(StoreError, match="not a clipsearch catalog"):
        Store(tmp_path)


def test_a_schema_without_end_is_not_read_to_its_end(database, monkeypatch):
    monkeypatch.setattr(schema, "_MAX_OBJECTS", 20)
    with pytest.raises(ForeignSchemaError, match="more than 20"):
        Store(database.parent)


def test_a_journal_that_names_another_file_deletes_nothing(tmp_path):
    """SQLite deletes the file that a journal names as that of a transaction over several databases."""
    database, victim = tmp_path / DATABASE_NAME, tmp_path / "holiday.txt"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE t (x)")
    victim.write_text("precious")
    magic, name = bytes((0xD9, 0xD5, 0x05, 0xF9, 0x20, 0xA1, 0x63, 0xD7)), str(victim).encode()
    numbers = (0, 1, database.stat().st_size // 4096, 512, 4096)
    head = (magic + b"".join(number.to_bytes(4, "big") for number in numbers)).ljust(512, b"\0")
    ends = ((0x40000000 // 4096) + 1, len(name), sum(name) & 0xFFFFFFFF)
    first, *others = (number.to_bytes(4, "big") for number in ends)
    database.with_name(DATABASE_NAME + "-journal").write_bytes(head + first + name + b"".join(others) + magic)
    with pytest.raises(StoreError, match="names another file"):
        Store(tmp_path)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
def test_links_beside_the_database_are_not_followed(database, tmp_path, ending):
    victim = tmp_path.parent / f"{tmp_path.name}-victim"
    victim.write_bytes(b"precious" * 1000)
    beside = database.with_name(database.name + ending)
    beside.unlink(missing_ok=True)
    beside.symlink_to(victim)
    with pytest.raises(StoreError, match="is not a regular file"):
        Store(database.parent)
    assert victim.read_bytes() == b"precious" * 1000


def test_a_folder_that_is_a_link_is_the_catalog_behind_it(database, tmp_path):
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path)
    with closing(Store(link)) as store:
        assert store.models.list_all() == ()
