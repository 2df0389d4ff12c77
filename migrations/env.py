"""Alembic's entry point. The database comes from the caller (`clipsearch.store.migrate`) or, for developers,
from `alembic -x database=PATH revision --autogenerate -m "..."`."""

from pathlib import Path

from alembic import context
from sqlalchemy import create_engine

from clipsearch.store.tables import metadata


def run() -> None:
    database = context.config.attributes.get("database") or context.get_x_argument(as_dictionary=True).get("database")
    if database is None:
        raise SystemExit("say which database: alembic -x database=PATH …")
    engine = create_engine(f"sqlite:///{Path(database)}")
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
