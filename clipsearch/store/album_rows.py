"""Read albums in plain SQL: filters need them, without SQLAlchemy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clipsearch.errors import StoreError
from clipsearch.store.backends.base import ReadConnection, chunks
from clipsearch.store.content_rows import as_time
from clipsearch.store.records import REPAIR_HINT
from clipsearch.store.values import valid_ids

_ALBUMS = (
    "SELECT a.name, a.created_at, count(m.member_id) FROM albums a "
    "LEFT JOIN album_members m ON m.album_id = a.album_id {} GROUP BY a.album_id, a.name, a.created_at ORDER BY a.name"
)
_MEMBERS = (
    "SELECT m.content_id FROM album_members m JOIN albums a ON a.album_id = m.album_id "
    "WHERE a.name = ? ORDER BY m.member_id"
)
_ALL_MEMBERS = "SELECT a.name, m.content_id FROM album_members m JOIN albums a ON a.album_id = m.album_id"
_ALBUMS_OF = (
    "SELECT m.content_id, a.name FROM album_members m JOIN albums a ON a.album_id = m.album_id "
    "WHERE m.content_id IN ({}) ORDER BY a.name"
)
_PICTURES = (
    "SELECT a.name, c.blake3 FROM albums a JOIN album_members m ON m.album_id = a.album_id "
    "JOIN contents c ON c.content_id = m.content_id ORDER BY a.name, m.member_id"
)


@dataclass(frozen=True, slots=True)
class Album:
    """Set of pictures that a user has put together.

    Attributes:
        count: number of pictures, those included whose files are not there at the moment.
        created_at: UTC.
    """

    name: str
    count: int
    created_at: datetime


class AlbumReader:
    """Thread-safe reader of albums."""

    def __init__(self, connection: ReadConnection) -> None:
        self._rows = connection.rows

    def list_all(self) -> list[Album]:
        """List all albums by name."""
        return [_album(row) for row in self._rows(_ALBUMS.format(""))]

    def find(self, name: str) -> Album | None:
        """Return the album of this very name; None where there is none."""
        rows = self._rows(_ALBUMS.format("WHERE a.name = ?"), name)
        return _album(rows[0]) if rows else None

    def names(self) -> list[str]:
        return [_text(name) for (name,) in self._rows("SELECT name FROM albums ORDER BY name")]

    def members(self, name: str) -> list[int]:
        """Return the content ids of an album in the order they were added; none where there is no such album."""
        return [content_id for (content_id,) in self._rows(_MEMBERS, name)]

    def all_members(self) -> dict[str, list[int]]:
        """Return the content ids of all albums that have some, by album."""
        found: dict[str, list[int]] = {}
        for name, content_id in self._rows(_ALL_MEMBERS):
            found.setdefault(_text(name), []).append(content_id)
        return found

    def albums_of(self, content_ids: Sequence[int]) -> dict[int, list[str]]:
        """Return the names of the albums of some contents, sorted; contents in none are left out."""
        found: dict[int, list[str]] = {}
        for chunk in chunks(valid_ids(content_ids)):
            for content_id, name in self._rows(_ALBUMS_OF.format(",".join("?" * len(chunk))), *chunk):
                found.setdefault(content_id, []).append(_text(name))
        return found

    def digests(self) -> dict[str, list[str]]:
        """Return the blake3 in hex of the contents of all albums that have some, by album."""
        found: dict[str, list[str]] = {}
        for name, blake3 in self._rows(_PICTURES):
            found.setdefault(_text(name), []).append(bytes(blake3).hex())
        return found


def _album(row: Sequence[Any]) -> Album:
    name, created_at, count = row
    try:
        return Album(_text(name), count, as_time(created_at))
    except (TypeError, ValueError) as error:
        raise StoreError(f"an album has an invalid date; {REPAIR_HINT}") from error


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise StoreError(f"the name of an album is not text; {REPAIR_HINT}")
    return name
