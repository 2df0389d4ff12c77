"""Store searches under a name."""

from sqlalchemy import delete, exists, select, update

from clipsearch.store import tables
from clipsearch.store.backends.database import Database
from clipsearch.store.records import SavedSearch, utc_now


class SavedSearchStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, name: str, query: str, *, replace: bool) -> bool:
        """Store a search; return whether it was stored, as it is where none of this name is there.

        Args:
            replace: one of the same name.
        """
        table = tables.saved_searches
        row = {"query": query, "created_at": utc_now(), "reported_id": None}
        inserting = self._database.insert(table).values(name=name, **row)
        with self._database.write() as connection:
            if replace:
                connection.execute(inserting.on_conflict_do_update(index_elements=[table.c.name], set_=row))
                return True
            is_taken = connection.execute(select(exists().where(table.c.name == name))).scalar()
            if not is_taken:
                connection.execute(inserting)
            return not is_taken

    def find(self, name: str) -> SavedSearch | None:
        """Return a search; None when there is none of this name."""
        return next(iter(self._read(name)), None)

    def list_all(self) -> list[SavedSearch]:
        """List all searches by name."""
        return self._read()

    def remove(self, name: str) -> bool:
        """Delete a search; return whether it existed."""
        table = tables.saved_searches
        with self._database.write() as connection:
            return connection.execute(delete(table).where(table.c.name == name)).rowcount > 0

    def set_reported(self, name: str, content_id: int) -> None:
        """Record that the contents up to an id were reported, where later ones were not."""
        table = tables.saved_searches
        is_later = table.c.reported_id.is_(None) | (table.c.reported_id < content_id)
        with self._database.write() as connection:
            connection.execute(update(table).where(table.c.name == name, is_later).values(reported_id=content_id))

    def _read(self, name: str | None = None) -> list[SavedSearch]:
        table = tables.saved_searches
        wanted = select(table).order_by(table.c.name)
        if name is not None:
            wanted = wanted.where(table.c.name == name)
        with self._database.read() as connection:
            return [
                SavedSearch(row.name, row.query, row.created_at, row.reported_id) for row in connection.execute(wanted)
            ]
