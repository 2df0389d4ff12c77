"""Alembic's entry point. The connection comes from `clipsearch.store.migrate`, inside a transaction; for developers
it is made here, as in `alembic -x database=PATH revision --autogenerate -m "..."`."""

from pathlib import Path

from alembic import context
from sqlalchemy import Connection, create_engine

from clipsearch.store.tables import metadata


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is not None:
        migrate(connection)
        return
    database = context.get_x_argument(as_dictionary=True).get("database")
    if database is None:
        raise SystemExit("say which database: alembic -x database=PATH …")
    engine = create_engine(f"sqlite:///{Path(database)}")
    with engine.connect() as own:
        migrate(own)
    engine.dispose()


run()
