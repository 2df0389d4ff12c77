"""The database of a new catalog is a copy of one that the migrations made, which takes Alembic 50 ms each time."""

import tempfile
from functools import cache
from pathlib import Path

from clipsearch.store import migrate

_migrate = migrate.upgrade


def upgrade(database: Path, *, keep_old: bool = True) -> Path | None:
    """`migrate.upgrade`, where an empty file gets the content of the same migrations."""
    if database.stat().st_size:
        return _migrate(database, keep_old=keep_old)
    database.write_bytes(_content_of_a_new_one())
    return None


@cache
def _content_of_a_new_one() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new.sqlite3"
        path.touch()
        _migrate(path)
        (made,) = Path(folder).iterdir()  # and nothing is left in a log
        return made.read_bytes()
