"""Store the indexed folders."""

import os
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, delete, insert, select, update

from clipsearch.images.patterns import folder_pattern, pattern_below, plain_path
from clipsearch.store import tables
from clipsearch.store.backends.database import Database
from clipsearch.store.changes import make_stale
from clipsearch.store.records import Scope, utc_now
from clipsearch.store.values import is_folder
from clipsearch.text import stored_fold


class RootStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, folder: str) -> Scope:
        """Register an absolute folder.

        A folder inside a known root is a subfolder of that root; known roots inside the folder become part of it, so
        that no file is ever known under two roots.
        """
        roots = tables.roots
        with self._database.write() as connection:
            # A removed root does not contain others, but it may be added again.
            rows = connection.execute(select(roots.c.root_id, roots.c.path, roots.c.removed_at, roots.c.exclude)).all()
            known = {row.path: row.root_id for row in rows if row.removed_at is None and row.path}
            exclude = {row.root_id: _lines(row.exclude) for row in rows}
            root_id = next((row.root_id for row in rows if row.path == folder), None)
            if folder in known:
                return Scope(known[folder], folder, "", exclude[known[folder]])
            for path, parent_id in known.items():
                if is_shown_below(folder, path):
                    return Scope(parent_id, path, _relative(folder, path), exclude[parent_id])
            if root_id is None:
                root_id = connection.execute(
                    insert(roots).values(path=folder, added_at=utc_now()).returning(roots.c.root_id)
                ).scalar_one()
            else:
                connection.execute(update(roots).where(roots.c.root_id == root_id).values(removed_at=None))
            patterns = list(exclude.get(root_id, ()))
            for path, child_id in known.items():
                # A hidden folder was indexed by name: scanning the folder around it leaves it out.
                if is_shown_below(path, folder):
                    prefix = _relative(path, folder)
                    patterns += [pattern_below(pattern, plain_path(folder, prefix)) for pattern in exclude[child_id]]
                    _absorb(connection, child_id, prefix, into=root_id)
            if patterns:
                connection.execute(update(roots).where(roots.c.root_id == root_id).values(exclude="\n".join(patterns)))
        return Scope(root_id, folder, "", tuple(patterns))

    def find_scope(self, folder: str) -> Scope | None:
        """Return the known root that is or contains an absolute folder, without changing anything."""
        inside = [scope for scope in self.list_all() if folder == scope.root or is_inside(folder, scope.root)]
        if not inside:
            return None
        root = max(inside, key=lambda scope: len(scope.root))
        return root if folder == root.root else replace(root, subfolder=_relative(folder, root.root))

    def remove(self, root_id: int) -> None:
        """Mark a root as removed for good by the user; its files have to be marked separately."""
        self._set(root_id, removed_at=utc_now())

    def find_volume(self, root_id: int) -> str | None:
        """Return the volume of the root when all its files were last seen, see `images.volume`."""
        with self._database.read() as connection:
            return connection.execute(select(tables.roots.c.volume).where(tables.roots.c.root_id == root_id)).scalar()

    def set_volume(self, root_id: int, volume: str | None) -> None:
        self._set(root_id, volume=volume)

    def set_exclude(self, root_id: int, patterns: Sequence[str]) -> None:
        """Store what is left out of a root: patterns without line breaks, see `images.patterns`."""
        self._set(root_id, exclude="\n".join(patterns) or None)

    def include(self, folder: str) -> None:
        """Stop leaving out an absolute folder that was excluded by name; other patterns that match it stay."""
        scope = self.find_scope(folder)
        if scope is not None and scope.subfolder:
            own = folder_pattern(plain_path(scope.root, scope.subfolder))
            patterns = [pattern for pattern in scope.exclude if pattern != own]
            if len(patterns) < len(scope.exclude):
                self.set_exclude(scope.root_id, patterns)

    def list_all(self) -> list[Scope]:
        with self._database.read() as connection:
            rows = connection.execute(
                select(tables.roots).where(tables.roots.c.removed_at.is_(None)).order_by(tables.roots.c.root_id)
            )
            return [
                Scope(row.root_id, row.path, "", _lines(row.exclude))
                for row in rows
                if row.path and is_folder(os.fsencode(row.path))
            ]

    def _set(self, root_id: int, **values: object) -> None:
        with self._database.write() as connection:
            connection.execute(update(tables.roots).where(tables.roots.c.root_id == root_id).values(**values))


def is_shown_below(path: str, folder: str) -> bool:
    """Return whether a scan of `folder` reaches `path`: it lies inside, and in no hidden folder."""
    return is_inside(path, folder) and not any(part.startswith(".") for part in _relative(path, folder).split("/"))


def is_inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _relative(path: str, folder: str) -> str:
    """Return a relative path as it is stored: parts joined by "/" on every system."""
    return os.path.relpath(path, folder).replace(os.sep, "/")


def _lines(text: str | None) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()


def _absorb(connection: Connection, root_id: int, prefix: str, *, into: int) -> None:
    """Move the files of one root below another, which may know some of them from before they were split off."""
    file = tables.files
    rows = connection.execute(select(file.c.file_id, file.c.relative_path).where(file.c.root_id == root_id)).all()
    for file_id, relative in rows:
        place = f"{prefix}/{relative}"
        connection.execute(delete(file).where(file.c.root_id == into, file.c.relative_path == place))
        connection.execute(
            update(file)
            .where(file.c.file_id == file_id)
            .values(root_id=into, relative_path=place, folded_path=stored_fold(place))
        )
    connection.execute(delete(tables.roots).where(tables.roots.c.root_id == root_id))
    make_stale(connection)
