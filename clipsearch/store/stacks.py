"""Store the stacks of contents, see `stack_rows`."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, select, update

from clipsearch.store import tables
from clipsearch.store.backends.base import chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.changes import next_change, touch_contents

_INSERT = "INSERT INTO stack_members (content_id, stack_id) VALUES (?, ?)"
_DELETE = "DELETE FROM stack_members WHERE content_id IN ({})"
_OLD = "SELECT content_id, stack_id FROM stack_members"
_OLD_OF = _OLD + " WHERE content_id IN ({})"


class StackStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, found: Mapping[int, int], *, of: Iterable[int] | None, seen: int) -> int:
        """Replace the stacks of contents, in one transaction, and mark those whose stack is another now as changed.

        Args:
            found: content id → stack id of all members.
            of: the contents that were looked at; None: all.
            seen: number of the last change when they were looked at.

        Returns:
            The number of contents whose stack is another now.
        """
        looked_at = None if of is None else sorted(of)
        catalog = tables.catalog
        with self._database.write() as connection:
            former = self._read(connection, looked_at)
            moved = sorted(number for number in {*former, *found} if former.get(number) != found.get(number))
            stacked = seen
            if moved:
                last = connection.execute(select(catalog.c.last_change)).scalar_one()
                change = next_change(connection)
                if (last or 0) == seen:  # nothing else has changed since: what is marked here needs no second look
                    stacked = change
                for chunk in chunks(moved):
                    self._database.execute_sql(connection, _DELETE.format(",".join("?" * len(chunk))), *chunk)
                    touch_contents(connection, tables.contents.c.content_id.in_(chunk), change=change)
                rows: list[tuple[object, ...]] = [(number, found[number]) for number in moved if number in found]
                if rows:
                    self._database.execute_many(connection, _INSERT, rows)
            connection.execute(update(catalog).values(stacked_change=stacked))
        return len(moved)

    def _read(self, connection: Connection, content_ids: Sequence[int] | None) -> dict[int, int]:
        if content_ids is None:
            return {row[0]: row[1] for row in self._database.fetch(connection, _OLD)}
        return {
            row[0]: row[1]
            for chunk in chunks(content_ids)
            for row in self._database.fetch(connection, _OLD_OF.format(",".join("?" * len(chunk))), *chunk)
        }
