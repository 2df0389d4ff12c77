"""Store the text that was read in pictures."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, case, func, select

from clipsearch.ocr.lines import TextLine, pack_lines
from clipsearch.store import tables
from clipsearch.store.backends.base import chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.changes import next_change, touch_contents

_INSERT = (
    "INSERT INTO texts (content_id, reader, lines) VALUES (?, ?, ?) "
    "ON CONFLICT (content_id) DO UPDATE SET reader = excluded.reader, lines = excluded.lines"
)


@dataclass(frozen=True, slots=True)
class ReadText:
    """Lines that were read in a content; none is kept apart from not looked at."""

    content_id: int
    lines: Sequence[TextLine]


class TextCounts(NamedTuple):
    """Numbers of contents."""

    read: int
    with_text: int


class TextStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def unread(self, reader: str) -> list[int]:
        """Return the ids of contents that have a file, and in which these models have not looked for text, growing."""
        text, file = tables.texts, tables.files
        read = select(text.c.content_id).where(text.c.reader == reader)
        statement = (
            select(file.c.content_id)
            .where(file.c.removed_at.is_(None), file.c.content_id.is_not(None), file.c.content_id.not_in(read))
            .distinct()
            .order_by(file.c.content_id)
        )
        with self._database.read() as connection:
            return list(connection.execute(statement).scalars())

    def count(self) -> TextCounts:
        """Count the contents in which text was looked for, and those that have any."""
        text = tables.texts
        has_lines = func.sum(case((text.c.lines != "", 1), else_=0))
        with self._database.read() as connection:
            read, with_text = connection.execute(select(func.count(), has_lines).select_from(text)).one()
        return TextCounts(read, with_text or 0)

    def record(self, found: Iterable[ReadText], *, reader: str) -> None:
        """Store what was read, in one transaction; contents that are gone are left out.

        Args:
            reader: name of the models.
        """
        texts = {each.content_id: pack_lines(each.lines) for each in found}
        content = tables.contents
        with self._database.write() as connection:
            known = list(self._known(connection, sorted(texts)))
            if known:
                self._database.execute_many(connection, _INSERT, [(number, reader, texts[number]) for number in known])
                change = next_change(connection)
                for chunk in chunks(known):
                    touch_contents(connection, content.c.content_id.in_(chunk), change=change)

    def _known(self, connection: Connection, content_ids: Sequence[int]) -> Iterator[int]:
        content = tables.contents
        for chunk in chunks(content_ids):
            yield from connection.execute(select(content.c.content_id).where(content.c.content_id.in_(chunk))).scalars()
