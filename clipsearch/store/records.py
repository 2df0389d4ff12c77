"""Records that the store takes and returns; nothing here needs SQLAlchemy."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import StoreError
from clipsearch.images.file_stamp import FileStamp
from clipsearch.parts import Parts
from clipsearch.store.values import MAX_DIM, is_digest, is_number
from clipsearch.types import ImageMetadata

Kind = Literal["images", "captions"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Marks of a listed file, see `PictureStore.files_besides`: it was present before, or it had been removed.
SEEN = 1
GONE_BEFORE = 2

REPAIR_HINT = "'clipsearch doctor --fix' repairs it"
"""Ending of every message about damaged or invalid values."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """Row of `models`; a generation grows when embeddings of that kind are deleted or replaced.

    Raises:
        StoreError: a value is invalid. Values are untrusted: a fingerprint becomes part of names.
    """

    model_id: int
    name: str
    fingerprint: str
    dim: int
    image_generation: int
    caption_generation: int

    def __post_init__(self) -> None:
        if not is_digest(self.fingerprint):
            raise StoreError(_invalid_value("models.fingerprint", self.fingerprint, "64 hex digits"))
        if not is_number(self.dim, 1, MAX_DIM):
            raise StoreError(_invalid_value("models.dim", self.dim, f"a number from 1 to {MAX_DIM:,}"))
        for number in (self.model_id, self.image_generation, self.caption_generation):
            if not is_number(number, -(1 << 62), 1 << 62):
                raise StoreError(_invalid_value("models", number, "a number"))


def utc_now() -> datetime:
    """Return the time as SQL stores it: UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Scope:
    """Folder to scan: a whole indexed root, or a subfolder of it ("" is the root itself).

    Attributes:
        exclude: patterns of what is left out of the root, see `images.exclude`.
    """

    root_id: int
    root: str
    subfolder: str
    exclude: tuple[str, ...] = ()


class KnownFile(NamedTuple):
    """What the last run knew of a file, which has a content or a skip reason.

    A tuple: a run over a million files makes a million of these.

    Attributes:
        relative_path: as it is stored.
        size_bytes, mtime_ns, ctime_ns, inode: as in `FoundImage`, in the same order; the last two are None when they
            are unknown.
        is_removed: it was missing when it was last looked for.
        limit_kind, limit_value: the limit that it exceeded, as in `ImageReadError`, else None.
    """

    relative_path: bytes
    size_bytes: int
    mtime_ns: int
    ctime_ns: int | None
    inode: int | None
    file_id: int
    content_id: int | None
    is_removed: bool
    skip_reason: str | None = None
    limit_kind: str | None = None
    limit_value: float | None = None

    @property
    def has_picture(self) -> bool:
        """Whether it was there, and could be read, when it was last looked for."""
        return self.content_id is not None and not self.is_removed


StampedFile: TypeAlias = tuple[bytes, int, int, int | None, int | None, int, int]
"""First seven fields of a `KnownFile` that has a picture, as the driver gives them: no object is made for each."""


class IndexedFile(NamedTuple):
    """File that has a content, as it was when it was indexed; a tuple, like `KnownFile`.

    Attributes:
        path: absolute.
    """

    path: str
    content_id: int
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class ContentRecord:
    """New content.

    Attributes:
        blake3: of the whole file.
        embedding: unit-norm (dim,); of several parts, that of the cover.
        parts: of a content of several, the cover first; () for a picture of one part.
        part_embeddings: unit-norm (len(parts) - 1, dim) of the other parts; None without any.
    """

    blake3: bytes
    size_bytes: int
    metadata: ImageMetadata
    embedding: NDArray[np.float32]
    parts: Parts = ()
    part_embeddings: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class ContentDetails:
    """Metadata of a content; sizes and dates as in `tables.contents`."""

    content_id: int
    blake3: bytes
    size_bytes: int
    metadata: ImageMetadata
    added_at: datetime


@dataclass(frozen=True, slots=True)
class FileRecord:
    """File as it was when it was read, with a content or a skip reason.

    Times and inode as in `FileStamp`.

    Attributes:
        blake3: of a stored content; None when the file was skipped.
        limit: the limit that it exceeded, as in `ImageReadError`.
    """

    root_id: int
    relative_path: str
    size_bytes: int
    mtime_ns: int
    blake3: bytes | None
    skip_reason: str | None = None
    ctime_ns: int | None = None
    inode: int | None = None
    limit: tuple[str, float] | None = None

    @classmethod
    def of(
        cls,
        root_id: int,
        relative_path: str,
        stamp: FileStamp,
        blake3: bytes | None,
        skip_reason: str | None = None,
        limit: tuple[str, float] | None = None,
    ) -> "FileRecord":
        size_bytes, mtime_ns, ctime_ns, inode = stamp
        return cls(root_id, relative_path, size_bytes, mtime_ns, blake3, skip_reason, ctime_ns, inode, limit)


@dataclass(frozen=True, slots=True)
class EmbeddingRows:
    """Some embeddings in the order they were stored.

    Attributes:
        ids: int64 (n,), part ids or caption ids.
        embeddings: float32 (n, dim), unit-norm to the precision of float16.
        last_embedding_id: the highest embedding id among them.
    """

    ids: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    last_embedding_id: int


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """Index file that is recorded in SQL.

    Attributes:
        blake3: hex, of the whole file.
        row_count: embeddings in it.
        generation: of the embeddings when it was written.
        last_embedding_id: it holds the rows of SQL up to this one.
        ann: of an approximate index, its search parameters and measured recall, as JSON (`indexes.ivf_tuning.Tuning`);
            None for an exact one.

    Raises:
        StoreError: a value is invalid. Values are untrusted: the hash becomes part of names.
    """

    blake3: str
    row_count: int
    generation: int
    last_embedding_id: int
    ann: str | None = None

    def __post_init__(self) -> None:
        if self.blake3 != "" and not is_digest(self.blake3):  # "": not written yet
            raise StoreError(_invalid_value("snapshots.blake3", self.blake3, "64 hex digits"))
        for number in (self.row_count, self.generation, self.last_embedding_id):
            if not is_number(number, 0, 1 << 62):
                raise StoreError(_invalid_value("snapshots", number, "a number of rows"))
        if self.ann is not None and not isinstance(self.ann, str):
            raise StoreError(_invalid_value("snapshots.ann", self.ann, "a text"))


@dataclass(frozen=True, slots=True)
class StoredColumnFile:
    """File of columns in use on this machine.

    Attributes:
        blake3: hex, of the file's header, which has the checksums of the columns.
        row_count: pictures in it.
        last_change: it holds the changes up to this one.

    Raises:
        StoreError: a value is invalid. Values are untrusted: the hash becomes part of names.
    """

    blake3: str
    row_count: int
    last_change: int

    def __post_init__(self) -> None:
        if not is_digest(self.blake3):
            raise StoreError(_invalid_value("column_files.blake3", self.blake3, "64 hex digits"))
        for number in (self.row_count, self.last_change):
            if not is_number(number, 0, 1 << 62):
                raise StoreError(_invalid_value("column_files", number, "a number"))


def _invalid_value(column: str, value: object, wanted: str) -> str:
    return f"the catalog has {str(value)[:40]!r} as {column}, which is not {wanted}; {REPAIR_HINT}"


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """Query under a name, to search for as `@name`.

    Attributes:
        name: folded, as in `query.concept_name`; no concept has it.
        query: in the query language, as its user wrote it.
        created_at: UTC.
        reported_id: contents up to this id were reported as matches, or are none, see `SavedSearches.new_matches`;
            None: nobody has asked for its matches.
    """

    name: str
    query: str
    created_at: datetime
    reported_id: int | None = None
