"""Change albums: sets of contents under a name."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from sqlalchemy import Connection, delete, func, select, update

from clipsearch.store import tables
from clipsearch.store.backends.base import chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.records import utc_now

Key: TypeAlias = Callable[[str], str]
"""Returns what the names of one album have in common."""


class AlbumStore:
    """Writer of albums; `AlbumReader` reads them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, content_ids: Sequence[int], *, key: Key) -> tuple[str, int]:
        """Add contents to an album, which is created where there is none of the same key.

        Unknown contents are left out.

        Returns:
            The album's name, and how many contents were not in it.
        """
        album, member, content = tables.albums, tables.album_members, tables.contents
        insert = self._database.insert
        with self._database.write() as connection:
            known_name = _find_name(connection, name, key)
            if known_name is None:
                connection.execute(insert(album).values(name=name, created_at=utc_now()))
            name = known_name or name
            album_id = connection.execute(select(album.c.album_id).where(album.c.name == name)).scalar_one()
            count = select(func.count()).select_from(member).where(member.c.album_id == album_id)
            before = connection.execute(count).scalar_one()
            for chunk in chunks(content_ids):
                known = set(
                    connection.execute(select(content.c.content_id).where(content.c.content_id.in_(chunk))).scalars()
                )
                rows = [{"album_id": album_id, "content_id": number} for number in chunk if number in known]
                if rows:
                    connection.execute(insert(member).on_conflict_do_nothing(), rows)
            return name, connection.execute(count).scalar_one() - before

    def remove(self, name: str, content_ids: Sequence[int]) -> int:
        """Take contents out of an album; return their number."""
        album, member = tables.albums, tables.album_members
        is_one = select(album.c.album_id).where(album.c.name == name)
        with self._database.write() as connection:
            return sum(
                connection.execute(
                    delete(member).where(member.c.album_id.in_(is_one), member.c.content_id.in_(chunk))
                ).rowcount
                for chunk in chunks(content_ids)
            )

    def rename(self, name: str, new_name: str, *, key: Key) -> str | None:
        """Rename an album; where another one has the same key, return its name and change nothing."""
        with self._database.write() as connection:
            taken = _find_name(connection, new_name, key)
            if taken is not None and taken != name:
                return taken
            connection.execute(update(tables.albums).where(tables.albums.c.name == name).values(name=new_name))
        return None

    def delete(self, name: str) -> None:
        """Delete an album; its pictures stay."""
        album, member = tables.albums, tables.album_members
        is_one = select(album.c.album_id).where(album.c.name == name)
        with self._database.write() as connection:
            connection.execute(delete(member).where(member.c.album_id.in_(is_one)))
            connection.execute(delete(album).where(album.c.name == name))


def _find_name(connection: Connection, name: str, key: Key) -> str | None:
    """Return the name of the album with the key of a name; writers run one at a time."""
    wanted = key(name)
    return next(
        (each for each in connection.execute(select(tables.albums.c.name)).scalars() if key(each) == wanted), None
    )
