"""List the indexed files of the folders that a view is restricted to."""

import os
from collections.abc import Sequence
from dataclasses import replace

from clipsearch.errors import InputError
from clipsearch.query.filters import listed
from clipsearch.query.syntax import Query
from clipsearch.session.session import Session
from clipsearch.store import IndexedFile


def files_below(folders: Sequence[str], session: Session) -> list[IndexedFile]:
    """Return the indexed files below absolute folders, or all, sorted by path.

    Raises:
        InputError: one of the folders has no indexed file.
    """
    files = session.store.reader.files_below(folders)
    for folder in folders:
        start = folder.rstrip(os.sep) + os.sep
        if not any(file.path.startswith(start) for file in files):
            raise InputError(f"no picture below {folder} is in the catalog: run clipsearch index FOLDER")
    return files


def within(query: Query, folder: str, session: Session) -> Query:
    """Limit a query to pictures with a file below an absolute folder, whose name is no pattern and keeps its case."""
    found = {file.content_id for file in session.store.reader.files_below([folder])}
    return replace(query, filters=(*query.filters, listed(found)))
