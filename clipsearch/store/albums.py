"""Change albums: sets of contents under a name."""

from collections.abc import Sequence

from sqlalchemy import delete, select, update

from clipsearch.store import tables
from clipsearch.store.backends.base import chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.records import utc_now


class AlbumStore:
    """Writer of albums; `AlbumReader` reads them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, content_ids: Sequence[int]) -> int:
        """Add contents to an album, which is created where there is none; return how many were not in it.

        Unknown contents are left out.
        """
        album, member, content = tables.albums, tables.album_members, tables.contents
        insert, added = self._database.insert, 0
        with self._database.write() as connection:
            connection.execute(insert(album).values(name=name, created_at=utc_now()).on_conflict_do_nothing())
            album_id = connection.execute(select(album.c.album_id).where(album.c.name == name)).scalar_one()
            for chunk in chunks(content_ids):
                known = set(
                    connection.execute(select(content.c.content_id).where(content.c.content_id.in_(chunk))).scalars()
                )
                rows = [{"album_id": album_id, "content_id": number} for number in chunk if number in known]
                if rows:
                    added += connection.execute(insert(member).on_conflict_do_nothing(), rows).rowcount
        return added

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

    def rename(self, name: str, new_name: str) -> None:
        """Rename an album; there is none of the new name."""
        with self._database.write() as connection:
            connection.execute(update(tables.albums).where(tables.albums.c.name == name).values(name=new_name))

    def delete(self, name: str) -> None:
        """Delete an album; its pictures stay."""
        album, member = tables.albums, tables.album_members
        is_one = select(album.c.album_id).where(album.c.name == name)
        with self._database.write() as connection:
            connection.execute(delete(member).where(member.c.album_id.in_(is_one)))
            connection.execute(delete(album).where(album.c.name == name))
