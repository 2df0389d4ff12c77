"""All pictures with their embeddings as of one moment, a page at a time, in plain SQL."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby

from clipsearch.errors import StoreError
from clipsearch.store.backends.base import Asking
from clipsearch.store.reader import content_details
from clipsearch.store.records import MENDS, ContentDetails
from clipsearch.store.values import path_of

_PAGE_ROWS = 10_000

_WITH_FILE = (
    "FROM image_embeddings e JOIN contents c ON c.content_id = e.content_id WHERE e.model_id = ? AND EXISTS "
    "(SELECT 1 FROM files f JOIN roots r ON r.root_id = f.root_id "
    "WHERE f.content_id = e.content_id AND f.removed_at IS NULL) "
)
_COUNT = f"SELECT count(*) {_WITH_FILE}"
_PAGE = (
    "SELECT c.content_id, c.blake3, c.size_bytes, c.width, c.height, c.format, c.taken_at, c.camera, c.latitude, "
    f"c.longitude, c.added_at, c.is_date_doubtful, e.embedding {_WITH_FILE} AND e.content_id > ? "
    "ORDER BY e.content_id LIMIT ?"
)
_PATHS = (
    "SELECT f.content_id, r.path, f.relative_path FROM files f JOIN roots r ON r.root_id = f.root_id "
    "WHERE f.removed_at IS NULL AND f.content_id BETWEEN ? AND ? ORDER BY f.content_id"
)
_COUNT_CAPTIONS = "SELECT count(*) FROM caption_embeddings WHERE model_id = ?"
_CAPTIONS = (
    "SELECT e.caption_id, c.text, e.embedding FROM caption_embeddings e JOIN captions c ON c.caption_id = e.caption_id "
    "WHERE e.model_id = ? AND e.caption_id > ? ORDER BY e.caption_id LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class ExportedPicture:
    """A picture that has a file: what is known of it, its absolute paths, at least one, sorted, and its embedding as
    SQL keeps it, see `vectors.to_bytes`."""

    details: ContentDetails
    paths: tuple[str, ...]
    embedding: bytes


@dataclass(frozen=True, slots=True)
class ExportedCaption:
    """A caption, with its embedding as `ExportedPicture` has it."""

    caption_id: int
    text: str
    embedding: bytes


class ExportReader:
    """One read transaction: whatever others write meanwhile, counts and rows fit together."""

    def __init__(self, asking: Asking, *, model_id: int, dim: int) -> None:
        """`asking`: at one moment."""
        self._rows = asking.rows
        self._model_id = model_id
        self._dim = dim

    def count_pictures(self) -> int:
        return self._count(_COUNT)

    def count_captions(self) -> int:
        return self._count(_COUNT_CAPTIONS)

    def pictures(self) -> Iterator[list[ExportedPicture]]:
        """Pages of those with an embedding of the model and a file, by their number."""
        last = 0
        while rows := self._rows(_PAGE, self._model_id, last, _PAGE_ROWS):
            first, last = rows[0][0], rows[-1][0]
            files = groupby(self._rows(_PATHS, first, last), key=lambda row: row[0])
            paths = {content_id: tuple(sorted(filter(None, map(_path, its)))) for content_id, its in files}
            yield [
                ExportedPicture(
                    content_details(row[:-1]),
                    _require_paths(paths.get(row[0], ()), row[0]),
                    self._checked(row[-1], f"picture {row[0]}"),
                )
                for row in rows
            ]

    def captions(self) -> Iterator[list[ExportedCaption]]:
        """Pages of those with an embedding of the model, by their number."""
        last = 0
        while rows := self._rows(_CAPTIONS, self._model_id, last, _PAGE_ROWS):
            last = rows[-1][0]
            yield [ExportedCaption(row[0], row[1], self._checked(row[2], f"caption {row[0]}")) for row in rows]

    def _checked(self, embedding: bytes, what: str) -> bytes:
        if len(embedding) != 2 * self._dim:
            raise StoreError(f"the embedding of {what} is damaged; {MENDS}")
        return embedding

    def _count(self, statement: str) -> int:
        count: int = self._rows(statement, self._model_id)[0][0]
        return count


@contextmanager
def open_export(asking: Asking, *, model_id: int, dim: int) -> Iterator[ExportReader]:
    """
    Raises:
        StoreError: it can't be read.
    """
    with closing(asking.at_one_moment()) as moment:
        yield ExportReader(moment, model_id=model_id, dim=dim)


def _require_paths(paths: tuple[str, ...], content_id: int) -> tuple[str, ...]:
    if not paths:
        raise StoreError(f"the paths of picture {content_id} lead to no file; {MENDS}")
    return paths


def _path(row: tuple[int, bytes, bytes]) -> str | None:
    return path_of(row[1], row[2])
