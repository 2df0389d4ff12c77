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
_KEEP = "INSERT INTO texts (content_id, reader, lines) VALUES (?, ?, '') ON CONFLICT (content_id) DO NOTHING"


@dataclass(frozen=True, slots=True)
class ReadText:
    """Lines that were read in a content; None where it can't be read: what was read earlier stays."""

    content_id: int
    lines: Sequence[TextLine] | None


class TextCounts(NamedTuple):
    """Numbers of contents."""

    read: int
    with_text: int


class TextStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def to_read(self, *, again: bool = False) -> list[int]:
        """Return the ids of contents that have a file, and in which no text was looked for, growing.

        Args:
            again: of all that have a file.
        """
        text, file = tables.texts, tables.files
        there = [file.c.removed_at.is_(None), file.c.content_id.is_not(None)]
        if not again:
            there.append(file.c.content_id.not_in(select(text.c.content_id)))
        statement = select(file.c.content_id).where(*there).distinct().order_by(file.c.content_id)
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
        texts = {each.content_id: None if each.lines is None else pack_lines(each.lines) for each in found}
        content = tables.contents
        with self._database.write() as connection:
            known = list(self._known(connection, sorted(texts)))
            rows: list[tuple[object, ...]] = [
                (number, reader, text) for number in known if (text := texts[number]) is not None
            ]
            kept: list[tuple[object, ...]] = [(number, reader) for number in known if texts[number] is None]
            for statement, values in ((_INSERT, rows), (_KEEP, kept)):
                if values:
                    self._database.execute_many(connection, statement, values)
            if known:
                change = next_change(connection)
                for chunk in chunks(known):
                    touch_contents(connection, content.c.content_id.in_(chunk), change=change)

    def _known(self, connection: Connection, content_ids: Sequence[int]) -> Iterator[int]:
        content = tables.contents
        for chunk in chunks(content_ids):
            yield from connection.execute(select(content.c.content_id).where(content.c.content_id.in_(chunk))).scalars()
