"""List names in a catalog for shell completion: without opening the catalog, which may upgrade it."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

from clipsearch.store.backends.connection import DATABASE_NAME, open_sqlite

_QUERIES = {
    "concepts": "SELECT name FROM concepts ORDER BY name LIMIT 1000",
    "label_sets": "SELECT name FROM label_sets ORDER BY name LIMIT 1000",
    "models": "SELECT name FROM models ORDER BY name LIMIT 1000",
}


def list_names(directory: Path, kind: Literal["concepts", "label_sets", "models"]) -> list[str]:
    """Return the names of a kind in the catalog of a folder; none where it can't be read."""
    path = directory / DATABASE_NAME
    with suppress(sqlite3.Error, OSError, ValueError):
        if path.is_file():
            with closing(open_sqlite(path)) as connection:
                rows = connection.execute(_QUERIES[kind])
                return [os.fsdecode(name) for (name,) in rows if isinstance(name, str | bytes)]
    return []
