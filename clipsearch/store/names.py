"""List names in a catalog for shell completion: without opening the catalog, which may upgrade it."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal, TypeAlias

from clipsearch.store.backends.connection import DATABASE_NAME, open_sqlite

NameKind: TypeAlias = Literal["albums", "concepts", "label_sets", "models", "saved_searches"]
"""Table whose names are listed."""


def list_names(directory: Path, kind: NameKind) -> list[str]:
    """Return the names of a kind in the catalog of a folder; none where it can't be read."""
    path = directory / DATABASE_NAME
    with suppress(sqlite3.Error, OSError, ValueError):
        if path.is_file():
            with closing(open_sqlite(path)) as connection:
                rows = connection.execute(f"SELECT name FROM {kind} ORDER BY name LIMIT 1000")  # noqa: S608
                return [os.fsdecode(name) for (name,) in rows if isinstance(name, str | bytes)]
    return []
