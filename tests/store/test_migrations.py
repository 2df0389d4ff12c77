"""The migrations and the tables say the same, and an old catalog is upgraded and then used."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from clipsearch.errors import CatalogNotFoundError, SchemaOutdatedError, StoreError
from clipsearch.store import Store
from clipsearch.store.database import DATABASE_NAME
from clipsearch.store.migrate import HEAD_REVISION, current_revision, migrations_folder, upgrade
from clipsearch.store.tables import metadata


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


def test_a_percent_sign_and_spaces_in_the_path(tmp_path):
    Store(tmp_path / "100% mine %(here)s", create=True).close()
    assert current_revision(tmp_path / "100% mine %(here)s" / DATABASE_NAME) == HEAD_REVISION


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
    with pytest.raises(StoreError, match="no clipsearch catalog"):
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
