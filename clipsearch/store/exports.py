"""Read all pictures and captions with their embeddings in one read transaction, page by page, in plain SQL."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby

from clipsearch.errors import StoreError
from clipsearch.parts import Part
from clipsearch.store.album_rows import AlbumReader
from clipsearch.store.backends.base import ReadConnection
from clipsearch.store.content_rows import DETAIL_COLUMNS, content_details
from clipsearch.store.part_rows import PartReader
from clipsearch.store.records import REPAIR_HINT, ContentDetails
from clipsearch.store.sidecar_rows import SidecarReader
from clipsearch.store.values import path_of

_PAGE_ROWS = 10_000

# Contents whose parts are described in memory at once.
_DESCRIBED_AT_ONCE = 100

_WITH_FILE = (
    "FROM image_embeddings e JOIN contents c ON c.content_id = e.part_id WHERE e.model_id = ? AND EXISTS "
    "(SELECT 1 FROM files f JOIN roots r ON r.root_id = f.root_id "
    "WHERE f.content_id = e.part_id AND f.removed_at IS NULL) "
)
_COUNT = f"SELECT count(*) {_WITH_FILE}"
_PAGE = f"SELECT {DETAIL_COLUMNS}, e.embedding {_WITH_FILE} AND e.part_id > ? ORDER BY e.part_id LIMIT ?"
_PATHS = (
    "SELECT f.content_id, r.path, f.relative_path FROM files f JOIN roots r ON r.root_id = f.root_id "
    "WHERE f.removed_at IS NULL AND f.content_id BETWEEN ? AND ? ORDER BY f.content_id"
)
# Of a content whose parts are not all embedded, the cover alone is exported.
_IS_COMPLETE = (
    "p.part_count = (SELECT count(*) FROM image_embeddings o WHERE o.model_id = ? "
    "AND o.part_id BETWEEN p.first_part_id AND p.first_part_id + p.part_count - 1)"
)
_COUNT_PARTS = (
    f"SELECT coalesce(sum(p.part_count), 0) FROM parts p WHERE {_IS_COMPLETE} "  # noqa: S608
    f"AND p.content_id IN (SELECT e.part_id {_WITH_FILE})"
)
_WITH_PARTS = (
    f"SELECT p.content_id, p.first_part_id, p.part_count FROM parts p WHERE {_IS_COMPLETE} "  # noqa: S608
    "AND p.content_id BETWEEN ? AND ?"
)
_PARTS = "SELECT embedding FROM image_embeddings WHERE model_id = ? AND part_id BETWEEN ? AND ? ORDER BY part_id"
_COUNT_CAPTIONS = "SELECT count(*) FROM caption_embeddings WHERE model_id = ?"
_CAPTIONS = (
    "SELECT e.caption_id, c.text, e.embedding FROM caption_embeddings e JOIN captions c ON c.caption_id = e.caption_id "
    "WHERE e.model_id = ? AND e.caption_id > ? ORDER BY e.caption_id LIMIT ?"
)


_CONCEPTS = (
    "SELECT c.name, c.words, e.is_positive, p.blake3 FROM concepts c "
    "JOIN concept_examples e ON e.concept_id = c.concept_id JOIN contents p ON p.content_id = e.content_id "
    "ORDER BY c.name, e.example_id"
)


_DIGEST = "SELECT blake3 FROM contents WHERE content_id = ?"

PICTURE_ID = re.compile(r"(?<![\w:.])id:([0-9]{1,18})(?![0-9])", re.ASCII)
"""Pattern of what names a picture by its id in the text of a query."""


def ids_in(query: str) -> list[str]:
    """Return the ids of the pictures that the text of a query names, as they are written, each once."""
    return list(dict.fromkeys(PICTURE_ID.findall(query)))


@dataclass(frozen=True, slots=True)
class ExportedConcept:
    """Concept, with its examples by blake3 in hex.

    Attributes:
        words: that describe it; None without any.
    """

    name: str
    words: str | None
    positives: tuple[str, ...]
    negatives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExportedAlbum:
    """Album, with its pictures by blake3 in hex, in the order they were added."""

    name: str
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExportedSearch:
    """Saved search.

    Attributes:
        pictures: blake3 in hex of the pictures that its query names, by their ids in it.
    """

    name: str
    query: str
    pictures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportedPart:
    """Part that an embedding is of, of a content whose parts are known.

    Attributes:
        number: from 0, the cover.
        count: of all parts of the content.
        part: None for a cover that is the whole picture.
    """

    number: int
    count: int
    part: Part | None


@dataclass(frozen=True, slots=True)
class ExportedPicture:
    """Picture that has a file, or a part of one; the parts of a picture follow each other.

    Attributes:
        details: its metadata.
        paths: absolute, at least one, sorted.
        embedding: as stored in SQL, see `vectors.to_bytes`.
        part: None of a content of one part, which was not looked at for others.
    """

    details: ContentDetails
    paths: tuple[str, ...]
    embedding: bytes
    part: ExportedPart | None = None


@dataclass(frozen=True, slots=True)
class ExportedCaption:
    """Caption, with its embedding as in `ExportedPicture`."""

    caption_id: int
    text: str
    embedding: bytes


class ExportReader:
    """Reader over one read transaction: counts and rows agree, whatever others write meanwhile."""

    def __init__(self, connection: ReadConnection, *, model_id: int, dim: int) -> None:
        """Take a connection with snapshot isolation."""
        self._rows = connection.rows
        self._parts = PartReader(connection)
        self._albums = AlbumReader(connection)
        self._sidecars = SidecarReader(connection)
        self._model_id = model_id
        self._dim = dim

    def count_pictures(self) -> int:
        return self._count(_COUNT)

    def count_parts(self) -> int:
        """Count the parts besides the covers."""
        return int(self._rows(_COUNT_PARTS, self._model_id, self._model_id)[0][0])

    def count_captions(self) -> int:
        return self._count(_COUNT_CAPTIONS)

    def pictures(self) -> Iterator[list[ExportedPicture]]:
        """Yield pages of pictures with an embedding of the model and a file, by content id, with their parts."""
        last = 0
        while rows := self._rows(_PAGE, self._model_id, last, _PAGE_ROWS):
            first, last = rows[0][0], rows[-1][0]
            files = groupby(self._rows(_PATHS, first, last), key=lambda row: row[0])
            paths = {content_id: tuple(sorted(filter(None, map(_path, group)))) for content_id, group in files}
            details = self._sidecars.describe({row[0]: content_details(row[:-1]) for row in rows})
            pictures = [
                ExportedPicture(
                    details[row[0]],
                    _require_paths(paths.get(row[0], ()), row[0]),
                    self._require_length(row[-1], f"picture {row[0]}"),
                )
                for row in rows
            ]
            yield from self._with_parts(pictures, first, last)

    def _with_parts(self, pictures: list[ExportedPicture], first: int, last: int) -> Iterator[list[ExportedPicture]]:
        """Yield the pictures of a page, each with its parts; in smaller pages when there are many."""
        found = self._rows(_WITH_PARTS, self._model_id, first, last)
        if not found:
            yield pictures
            return
        ranges = {content_id: (start, count) for content_id, start, count in found}
        for begin in range(0, len(pictures), _DESCRIBED_AT_ONCE):
            chunk = pictures[begin : begin + _DESCRIBED_AT_ONCE]
            several = [each.details.content_id for each in chunk if each.details.content_id in ranges]
            described = self._parts.of_contents(several)
            page: list[ExportedPicture] = []
            for picture in chunk:
                content_id = picture.details.content_id
                if content_id not in described:
                    page.append(picture)
                    continue
                parts, (start, count) = described[content_id], ranges[content_id]
                rows = self._rows(_PARTS, self._model_id, start, start + count - 1) if count else []
                embeddings = [picture.embedding] + [
                    self._require_length(blob, f"a part of picture {content_id}") for (blob,) in rows
                ]
                for number, ((_, part), embedding) in enumerate(zip(parts, embeddings, strict=True)):
                    page.append(replace(picture, embedding=embedding, part=ExportedPart(number, len(parts), part)))
            yield page

    def captions(self) -> Iterator[list[ExportedCaption]]:
        """Yield pages of captions with an embedding of the model, by caption id."""
        last = 0
        while rows := self._rows(_CAPTIONS, self._model_id, last, _PAGE_ROWS):
            last = rows[-1][0]
            yield [ExportedCaption(row[0], row[1], self._require_length(row[2], f"caption {row[0]}")) for row in rows]

    def concepts(self) -> list[ExportedConcept]:
        """List the concepts that have examples, by name."""
        return [
            ExportedConcept(
                name,
                words,
                tuple(blake3.hex() for *_, is_positive, blake3 in rows if is_positive),
                tuple(blake3.hex() for *_, is_positive, blake3 in rows if not is_positive),
            )
            for (name, words), group in groupby(self._rows(_CONCEPTS), key=lambda row: row[:2])
            for rows in [list(group)]
        ]

    def albums(self) -> list[ExportedAlbum]:
        """List the albums that have pictures, by name."""
        return [ExportedAlbum(name, tuple(pictures)) for name, pictures in self._albums.digests().items()]

    def saved_searches(self) -> list[ExportedSearch]:
        """List the saved searches by name."""
        found = []
        for name, query in self._rows("SELECT name, query FROM saved_searches ORDER BY name"):
            digests = {number: self._rows(_DIGEST, int(number)) for number in ids_in(query)}
            found.append(
                ExportedSearch(name, query, {number: rows[0][0].hex() for number, rows in digests.items() if rows})
            )
        return found

    def _require_length(self, embedding: bytes, subject: str) -> bytes:
        if len(embedding) != 2 * self._dim:
            raise StoreError(f"the embedding of {subject} is damaged; {REPAIR_HINT}")
        return embedding

    def _count(self, statement: str) -> int:
        count: int = self._rows(statement, self._model_id)[0][0]
        return count


@contextmanager
def open_export(connection: ReadConnection, *, model_id: int, dim: int) -> Iterator[ExportReader]:
    """Open a reader with snapshot isolation.

    Raises:
        StoreError: the catalog can't be read.
    """
    with closing(connection.open_snapshot()) as snapshot:
        yield ExportReader(snapshot, model_id=model_id, dim=dim)


def _require_paths(paths: tuple[str, ...], content_id: int) -> tuple[str, ...]:
    if not paths:
        raise StoreError(f"picture {content_id} has no valid path; {REPAIR_HINT}")
    return paths


def _path(row: tuple[int, bytes, bytes]) -> str | None:
    return path_of(row[1], row[2])
