"""Store sets of labels that the user has added."""

from collections.abc import Sequence

from sqlalchemy import delete, select

from clipsearch.store import tables
from clipsearch.store.backends.database import Database
from clipsearch.store.records import utc_now


class LabelStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, name: str, labels: Sequence[str]) -> None:
        """Store a set of labels, replacing one of the same name.

        Args:
            labels: at least one, none with a line break in it.
        """
        table = tables.label_sets
        row = {"labels": "\n".join(labels), "added_at": utc_now()}
        with self._database.write() as connection:
            connection.execute(
                self._database.insert(table)
                .values(name=name, **row)
                .on_conflict_do_update(index_elements=[table.c.name], set_=row)
            )

    def find(self, name: str) -> list[str] | None:
        """Return the labels in their order; None when there is no such set."""
        with self._database.read() as connection:
            found = connection.execute(
                select(tables.label_sets.c.labels).where(tables.label_sets.c.name == name)
            ).scalar_one_or_none()
        return None if found is None else found.split("\n")

    def counts(self) -> dict[str, int]:
        """Count the labels of each set, by name."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(tables.label_sets.c.name, tables.label_sets.c.labels).order_by(tables.label_sets.c.name)
            )
            return {name: labels.count("\n") + 1 for name, labels in rows}

    def remove(self, name: str) -> bool:
        """Delete a set; return whether it existed."""
        with self._database.write() as connection:
            return connection.execute(delete(tables.label_sets).where(tables.label_sets.c.name == name)).rowcount > 0
