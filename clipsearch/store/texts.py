"""Store the text that was read in pictures."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, case, func, select, update

from clipsearch.ocr.lines import TextLine, pack_lines
from clipsearch.store import tables
from clipsearch.store.backends.base import chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.changes import next_change, touch_contents

_INSERT = (
    "INSERT INTO texts (content_id, reader, lines, kind) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (content_id) DO UPDATE SET reader = excluded.reader, lines = excluded.lines, kind = excluded.kind"
)
_KEEP = (
    "INSERT INTO texts (content_id, reader, lines) VALUES (?, ?, '') "
    "ON CONFLICT (content_id) DO UPDATE SET reader = excluded.reader"
)

# Of the name of models, in a foreign catalog.
_MOST_CHARACTERS = 300

_TO_READ_AGAIN = ""
"""Name of the models of what is to be read again."""


@dataclass(frozen=True, slots=True)
class ReadText:
    """What was read in a content.

    Attributes:
        lines: None where it can't be read: what was read earlier stays.
        kind: as in `tables.texts`.
    """

    content_id: int
    lines: Sequence[TextLine] | None
    kind: str | None = None


class TextCounts(NamedTuple):
    """Numbers of contents."""

    read: int
    with_text: int


class TextStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def models(self) -> str | None:
        """Return the name of the models of a folder that are to read text; None: those of the package."""
        with self._database.read() as connection:
            name = connection.execute(select(tables.catalog.c.text_models)).scalar()
        return name[:_MOST_CHARACTERS] if isinstance(name, str) and name else None

    def set_models(self, name: str | None) -> None:
        """Store the name of the models that are to read text, as in `models`."""
        with self._database.write() as connection:
            connection.execute(update(tables.catalog).values(text_models=name))

    def read_all_again(self) -> None:
        """Have all contents read again, which `to_read` then returns; what was read stays until then."""
        with self._database.write() as connection:
            connection.execute(update(tables.texts).values(reader=_TO_READ_AGAIN))

    def to_read(self) -> list[int]:
        """Return the ids of contents that have a file, and in which text is to be looked for, growing."""
        text, file = tables.texts, tables.files
        known = select(text.c.content_id).where(text.c.reader != _TO_READ_AGAIN)
        there = [file.c.removed_at.is_(None), file.c.content_id.is_not(None), file.c.content_id.not_in(known)]
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

    def count_of_others(self, *, reader: str) -> int:
        """Count the contents that other models than these have read."""
        text = tables.texts
        with self._database.read() as connection:
            statement = select(func.count()).select_from(text).where(text.c.reader.not_in((reader, _TO_READ_AGAIN)))
            return int(connection.execute(statement).scalar_one())

    def record(self, found: Iterable[ReadText], *, reader: str) -> None:
        """Store what was read, in one transaction; contents that are gone are left out.

        Args:
            reader: name of the models.
        """
        texts = {each.content_id: each for each in found}
        content = tables.contents
        with self._database.write() as connection:
            known = [texts[number] for number in self._known(connection, sorted(texts))]
            rows: list[tuple[object, ...]] = [
                (each.content_id, reader, pack_lines(each.lines), each.kind) for each in known if each.lines is not None
            ]
            kept: list[tuple[object, ...]] = [(each.content_id, reader) for each in known if each.lines is None]
            for statement, values in ((_INSERT, rows), (_KEEP, kept)):
                if values:
                    self._database.execute_many(connection, statement, values)
            if known:
                change = next_change(connection)
                for chunk in chunks([each.content_id for each in known]):
                    touch_contents(connection, content.c.content_id.in_(chunk), change=change)

    def _known(self, connection: Connection, content_ids: Sequence[int]) -> Iterator[int]:
        content = tables.contents
        for chunk in chunks(content_ids):
            yield from connection.execute(select(content.c.content_id).where(content.c.content_id.in_(chunk))).scalars()
