"""Read what a search needs, in plain SQL: importing SQLAlchemy takes longer than the queries."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import StoreError
from clipsearch.query.globs import path_condition
from clipsearch.store.backends.base import ReadConnection, chunks
from clipsearch.store.column_rows import ColumnReader
from clipsearch.store.content_rows import DETAIL_COLUMNS, content_details, numbers
from clipsearch.store.part_rows import PartReader
from clipsearch.store.records import (
    KINDS,
    REPAIR_HINT,
    ContentDetails,
    EmbeddingRows,
    IndexedFile,
    Kind,
    StoredColumnFile,
    StoredModel,
    StoredSnapshot,
)
from clipsearch.store.sidecar_rows import SidecarReader
from clipsearch.store.stack_rows import StackReader
from clipsearch.store.values import is_folder, is_uuid, path_of, valid_ids
from clipsearch.vectors import from_bytes

if TYPE_CHECKING:
    from clipsearch.query.filters import Filter

_MODEL = "SELECT m.model_id, m.name, m.fingerprint, m.dim, m.image_generation, m.caption_generation FROM models m "
_CURRENT = _MODEL + "JOIN catalog c ON c.model_id = m.model_id"
_BY_ID = _MODEL + "WHERE m.model_id = ?"

# A snapshot of another generation is stale: embeddings in it were deleted since.
_SNAPSHOT = (
    "SELECT s.blake3, s.row_count, s.generation, s.last_embedding_id, s.ann FROM snapshots s "
    "JOIN models m ON m.model_id = s.model_id WHERE s.model_id = ? AND s.kind = ? AND s.machine = ? "
    "AND s.generation = "
    "CASE s.kind WHEN 'images' THEN m.image_generation ELSE m.caption_generation END"
)

_ALL_SNAPSHOTS = (
    "SELECT s.kind, s.blake3, s.row_count, s.generation, s.last_embedding_id, s.ann, m.model_id, m.name, "
    "m.fingerprint, m.dim, m.image_generation, m.caption_generation "
    "FROM snapshots s JOIN models m ON m.model_id = s.model_id WHERE s.machine = ?"
)

# "+ 0" keeps SQLite from the index on model_id, which it would scan as a whole for each chunk, and just to see whether
# there are new rows.
_ROWS: dict[Kind, str] = {
    "images": "SELECT embedding_id, part_id, embedding FROM image_embeddings ",
    "captions": "SELECT embedding_id, caption_id, embedding FROM caption_embeddings ",
}
_SOME = "WHERE model_id + 0 = ? AND embedding_id IN ({})"
_IDS: dict[Kind, str] = {
    "images": "SELECT part_id FROM image_embeddings WHERE model_id = ? ORDER BY embedding_id",
    "captions": "SELECT caption_id FROM caption_embeddings WHERE model_id = ? ORDER BY embedding_id",
}
_LAST: dict[Kind, str] = {
    "images": "SELECT max(embedding_id) FROM image_embeddings",
    "captions": "SELECT max(embedding_id) FROM caption_embeddings",
}
_AFTER = "WHERE model_id + 0 = ? AND embedding_id > ? ORDER BY embedding_id LIMIT ?"

_LARGE_TABLES = ("files", "contents", "image_embeddings", "captions", "caption_embeddings")


_PATHS = (
    "SELECT f.content_id, r.path, f.relative_path FROM files f JOIN roots r ON r.root_id = f.root_id "
    "WHERE f.removed_at IS NULL AND f.content_id IN ({})"
)


_EMBEDDINGS: dict[Kind, str] = {
    "images": "SELECT part_id, embedding FROM image_embeddings WHERE model_id = ? AND part_id IN ({})",
    "captions": "SELECT caption_id, embedding FROM caption_embeddings WHERE model_id = ? AND caption_id IN ({})",
}

_MEASURES = "SELECT content_id, width, height, size_bytes FROM contents WHERE content_id IN ({})"

_PHASHES = "SELECT content_id, phash FROM contents WHERE phash IS NOT NULL"

_DETAILS = f"SELECT {DETAIL_COLUMNS} FROM contents c WHERE content_id IN ({{}})"  # noqa: S608

_FILES = (
    "SELECT r.path, f.relative_path, f.content_id, f.size_bytes, f.mtime_ns "
    "FROM files f JOIN roots r ON r.root_id = f.root_id JOIN contents c ON c.content_id = f.content_id "
    "WHERE f.removed_at IS NULL"
)


class Reader:
    """Thread-safe reader of the store; every method sees one consistent state."""

    def __init__(self, connection: ReadConnection, *, machine: str = "") -> None:
        """Take the connection.

        Args:
            machine: the machine whose index files are meant, when several machines use the catalog.
        """
        self._connection = connection
        self._rows = connection.rows
        self._machine = machine
        self.parts = PartReader(connection)
        self.stacks = StackReader(connection)
        self.sidecars = SidecarReader(connection)

    def find_uuid(self) -> str | None:
        """Return the catalog's uuid; None before it is first written.

        Raises:
            StoreError: it is invalid.
        """
        rows = self._rows("SELECT uuid FROM catalog")
        if rows and not is_uuid(rows[0][0]):
            raise StoreError(f"the catalog's uuid {str(rows[0][0])[:40]!r} is invalid; {REPAIR_HINT}")
        return rows[0][0] if rows else None

    def find_current_model(self) -> StoredModel | None:
        """Return the model in use; None before the first index run."""
        return _model(self._rows(_CURRENT))

    def find_model(self, model_id: int) -> StoredModel | None:
        return _model(self._rows(_BY_ID, model_id))

    def find_snapshot(self, kind: Kind, *, model_id: int) -> StoredSnapshot | None:
        """Return the index file in use; None when there is none or it is stale, as after a deletion."""
        rows = self._rows(_SNAPSHOT, model_id, kind, self._machine)
        return _snapshot(rows[0]) if rows else None

    def list_snapshots(self) -> list[tuple[Kind, StoredModel, StoredSnapshot]]:
        """List all index files that are recorded, stale ones too."""
        found = [
            (row[0], _stored_model(row[6:]), _snapshot(row[1:6]))
            for row in self._rows(_ALL_SNAPSHOTS, self._machine)
            if row[0] in KINDS
        ]
        return [(kind, model, snapshot) for kind, model, snapshot in found if snapshot is not None]

    def find_column_file(self) -> StoredColumnFile | None:
        """Return the file of columns in use on this machine; None without a valid one."""
        return ColumnReader(self._connection, machine=self._machine).find_file()

    def find_index_url(self) -> str | None:
        """Return the URL of the server that holds the catalog's index; None for files."""
        rows = self._rows("SELECT index_url FROM catalog")
        if rows and not isinstance(rows[0][0], str | None):
            raise StoreError(f"the URL of the catalog's index is not text; {REPAIR_HINT}")
        return rows[0][0] if rows else None

    def measure_tables(self) -> int:
        """Return the bytes that the catalog's tables take on the server's disk."""
        sizes = " + ".join(f"pg_total_relation_size('{table}')" for table in _LARGE_TABLES)
        return int(self._rows(f"SELECT {sizes}")[0][0])

    def list_models(self) -> list[StoredModel]:
        """List all models, the oldest first."""
        return [_stored_model(row) for row in self._rows(_MODEL + "ORDER BY m.model_id")]

    def newest_embedding_id(self, kind: Kind) -> int:
        """Return the highest embedding id of all models; 0 without embeddings."""
        found: int | None = self._rows(_LAST[kind])[0][0]
        return found or 0

    def ids(self, kind: Kind, *, model_id: int) -> NDArray[np.int64]:
        """Return ids (n,) of parts or captions that a model has embedded, in the order they were stored."""
        rows = self._rows(_IDS[kind], model_id)
        return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))

    def rows_after(
        self, kind: Kind, *, model_id: int, dim: int, embedding_id: int = 0, chunk: int = 20_000
    ) -> Iterator[EmbeddingRows]:
        """Yield embeddings stored after row `embedding_id`, in chunks that bound the memory."""
        while rows := self._rows(_ROWS[kind] + _AFTER, model_id, embedding_id, chunk):
            embedding_id = rows[-1][0]
            yield EmbeddingRows(
                ids=np.array([row[1] for row in rows], dtype=np.int64),
                embeddings=_embeddings([row[2] for row in rows], dim),
                last_embedding_id=embedding_id,
            )

    def some_rows(self, kind: Kind, *, model_id: int, dim: int, embedding_ids: Sequence[int]) -> EmbeddingRows:
        """Return the embeddings of some rows; missing ones are left out."""
        rows = [
            row
            for chunk in chunks(embedding_ids)
            for row in self._rows(
                _ROWS[kind] + _SOME.format(",".join("?" * len(chunk))), model_id, *(int(number) for number in chunk)
            )
        ]
        return EmbeddingRows(
            ids=np.array([row[1] for row in rows], dtype=np.int64),
            embeddings=_embeddings([row[2] for row in rows], dim),
            last_embedding_id=max((row[0] for row in rows), default=0),
        )

    def sample_covers(self, max_rows: int, *, model_id: int, dim: int) -> NDArray[np.float32]:
        """Return up to `max_rows` embeddings (n, dim) of pictures and covers, evenly spaced by content id."""
        ids = [row[0] for row in self._rows("SELECT content_id FROM contents ORDER BY content_id")]
        step = max(1, -(-len(ids) // max_rows))
        found = self.embeddings(ids[::step], model_id=model_id, dim=dim)
        return np.array(list(found.values()), dtype=np.float32).reshape(-1, dim)

    def find_ann(self) -> str | None:
        """Return how index files are built, see `EmbeddingStore.set_ann`; None: by their size."""
        rows = self._rows("SELECT ann FROM catalog")
        return rows[0][0] if rows and isinstance(rows[0][0], str) else None

    def paths(self, content_ids: Sequence[int], *, filters: "Sequence[Filter]" = ()) -> dict[int, list[str]]:
        """Return the absolute paths of each content, sorted, those that pass the filters first.

        Removed files, and contents without a file, are left out.
        """
        passes = path_condition(filters) if any(each.key == "path" for each in filters) else None
        found: dict[int, list[tuple[bool, str]]] = {}
        for chunk in chunks(valid_ids(content_ids)):
            for content_id, folder, relative in self._rows(_PATHS.format(",".join("?" * len(chunk))), *chunk):
                path = path_of(folder, relative)
                if path is not None:
                    is_other = passes is not None and not passes(folder, relative)
                    found.setdefault(content_id, []).append((is_other, path))
        return {content_id: [path for _, path in sorted(paths)] for content_id, paths in found.items()}

    def files_below(self, folders: Sequence[str] = ()) -> list[IndexedFile]:
        """Return all files, or those below absolute folders, sorted by path.

        Removed files, and those that could not be read, are left out.
        """
        starts = tuple(folder.rstrip(os.sep) + os.sep for folder in folders)
        found = [
            IndexedFile(path, *numbers(state))
            for root, relative, *state in self._rows(_FILES)
            if (path := path_of(root, relative)) is not None
        ]
        return sorted(file for file in found if not starts or file.path.startswith(starts))

    def measures(self, content_ids: Sequence[int]) -> dict[int, tuple[int, int, int]]:
        """Return (width, height, size_bytes) of contents, upright; unknown ones are left out."""
        found: dict[int, tuple[int, int, int]] = {}
        for chunk in chunks(valid_ids(content_ids)):
            statement = _MEASURES.format(",".join("?" * len(chunk)))
            found.update((row[0], numbers(row[1:])) for row in self._rows(statement, *chunk))
        return found

    def phashes(self) -> dict[int, int]:
        """Return the known perceptual hashes by content id."""
        # SQLite columns are untyped.
        return {content_id: phash for content_id, phash in self._rows(_PHASHES) if isinstance(phash, int)}

    def details(self, content_ids: Sequence[int]) -> dict[int, ContentDetails]:
        """Return the metadata of contents by id, with what their sidecars say; unknown ones are left out."""
        found: dict[int, ContentDetails] = {}
        for chunk in chunks(valid_ids(content_ids)):
            statement = _DETAILS.format(",".join("?" * len(chunk)))
            found.update((row[0], content_details(row)) for row in self._rows(statement, *chunk))
        return self.sidecars.describe(found)

    def newest_content_id(self) -> int:
        """Return the highest content id; 0 without contents. Contents that are added later have higher ones."""
        found: int | None = self._rows("SELECT max(content_id) FROM contents")[0][0]
        return found or 0

    def list_texts(self) -> list[str]:
        """List captions, and the labels of all added sets, one a line."""
        rows = [*self._rows("SELECT text FROM captions"), *self._rows("SELECT labels FROM label_sets")]
        return [text for (text,) in rows if isinstance(text, str)]

    def texts_version(self) -> tuple[object, ...]:
        """Return a value that changes whenever `list_texts` does."""
        captions = self._rows("SELECT count(*), max(caption_id) FROM captions")[0]
        return *captions, *self._rows("SELECT count(*), max(added_at) FROM label_sets")[0]

    def folders(self) -> list[str]:
        """Return the indexed folders, sorted."""
        return sorted(self.folders_by_id().values())

    def folders_by_id(self) -> dict[int, str]:
        """Return the indexed folders by root id."""
        rows = self._rows("SELECT root_id, path FROM roots WHERE removed_at IS NULL")
        return {row[0]: os.fsdecode(row[1]) for row in rows if is_folder(row[1])}

    def find_embedding(self, content_id: int, *, model_id: int, dim: int) -> NDArray[np.float32] | None:
        """Return the embedding (dim,), unit-norm, of a picture or cover; None when the model has not embedded it."""
        return self.embeddings([content_id], model_id=model_id, dim=dim).get(content_id)

    def embeddings(
        self, ids: Sequence[int], *, model_id: int, dim: int, kind: Kind = "images"
    ) -> dict[int, NDArray[np.float32]]:
        """Return embeddings (dim,), unit-norm, of parts or captions by id; those without one are left out."""
        found: dict[int, NDArray[np.float32]] = {}
        for chunk in chunks(valid_ids(ids)):
            statement = _EMBEDDINGS[kind].format(",".join("?" * len(chunk)))
            rows = self._rows(statement, model_id, *chunk)
            found.update(zip((row[0] for row in rows), _embeddings([row[1] for row in rows], dim), strict=True))
        return found

    def close(self) -> None:
        self._connection.close()


def _model(rows: list[Any]) -> StoredModel | None:
    return _stored_model(rows[0]) if rows else None


def _stored_model(row: Sequence[Any]) -> StoredModel:
    model_id, name, *others = row
    if not isinstance(name, bytes | str):
        raise StoreError(f"the name of model {model_id} is invalid; {REPAIR_HINT}")
    return StoredModel(model_id, os.fsdecode(name), *others)


def _snapshot(row: Sequence[Any]) -> StoredSnapshot | None:
    """Return the snapshot of a row; None when it is invalid, so that it is rebuilt."""
    try:
        return StoredSnapshot(*row)
    except StoreError:
        return None


def _embeddings(blobs: list[Any], dim: int) -> NDArray[np.float32]:
    """Decode embeddings.

    Raises:
        StoreError: one has another length, or is not a blob.
    """
    try:
        return from_bytes(blobs, dim)
    except (ValueError, TypeError) as error:
        raise StoreError(f"an embedding is damaged; {REPAIR_HINT}") from error
