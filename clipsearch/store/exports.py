"""Read all pictures and captions with their embeddings in one read transaction, page by page, in plain SQL."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby

from clipsearch.errors import StoreError
from clipsearch.store.backends.base import ReadConnection
from clipsearch.store.content_rows import DETAIL_COLUMNS, content_details
from clipsearch.store.records import REPAIR_HINT, ContentDetails
from clipsearch.store.values import path_of

_PAGE_ROWS = 10_000

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
class ExportedPicture:
    """Picture that has a file.

    Attributes:
        details: its metadata.
        paths: absolute, at least one, sorted.
        embedding: as stored in SQL, see `vectors.to_bytes`.
    """

    details: ContentDetails
    paths: tuple[str, ...]
    embedding: bytes


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
        self._model_id = model_id
        self._dim = dim

    def count_pictures(self) -> int:
        return self._count(_COUNT)

    def count_captions(self) -> int:
        return self._count(_COUNT_CAPTIONS)

    def pictures(self) -> Iterator[list[ExportedPicture]]:
        """Yield pages of pictures with an embedding of the model and a file, by content id."""
        last = 0
        while rows := self._rows(_PAGE, self._model_id, last, _PAGE_ROWS):
            first, last = rows[0][0], rows[-1][0]
            files = groupby(self._rows(_PATHS, first, last), key=lambda row: row[0])
            paths = {content_id: tuple(sorted(filter(None, map(_path, group)))) for content_id, group in files}
            yield [
                ExportedPicture(
                    content_details(row[:-1]),
                    _require_paths(paths.get(row[0], ()), row[0]),
                    self._require_length(row[-1], f"picture {row[0]}"),
                )
                for row in rows
            ]

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
