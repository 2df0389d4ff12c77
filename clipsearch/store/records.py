"""What goes into the store and comes out of it. Nothing here needs SQLAlchemy."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import StoreError
from clipsearch.images.file_stamp import FileStamp
from clipsearch.store.values import MAX_DIM, is_digest, is_number
from clipsearch.types import ImageMetadata

Kind = Literal["images", "captions"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Marks of a file that was listed, see `PictureStore.files_besides`: it was there before, or it had been gone.
SEEN = 1
GONE_BEFORE = 2

MENDS = "'clipsearch doctor --fix' mends it"
"""What a message about damaged or impossible values ends with."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A row of `models`; a generation grows when embeddings of that kind are deleted or replaced.

    Raises:
        StoreError: a value can't be one, whoever has written it: a fingerprint becomes part of names.
    """

    model_id: int
    name: str
    fingerprint: str
    dim: int
    image_generation: int
    caption_generation: int

    def __post_init__(self) -> None:
        if not is_digest(self.fingerprint):
            raise StoreError(_no_value("models.fingerprint", self.fingerprint, "64 hex digits"))
        if not is_number(self.dim, 1, MAX_DIM):
            raise StoreError(_no_value("models.dim", self.dim, f"a number from 1 to {MAX_DIM:,}"))
        for number in (self.model_id, self.image_generation, self.caption_generation):
            if not is_number(number, -(1 << 62), 1 << 62):
                raise StoreError(_no_value("models", number, "a number"))


def utc_now() -> datetime:
    """The time as SQL keeps it: UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Scope:
    """A folder to look through: the whole of an indexed root, or a subfolder of it ("" is the root itself).

    Attributes:
        exclude: patterns of what is left out of the root, see `images.exclude`.
    """

    root_id: int
    root: str
    subfolder: str
    exclude: tuple[str, ...] = ()


class KnownFile(NamedTuple):
    """What the last run knew of a file; it has a content or a reason why it has none.

    A tuple: a run over a million files makes a million of these.

    Attributes:
        is_removed: it was gone when it was last looked for.
        ctime_ns, inode: None where they were not known.
        limit_kind, limit_value: the limit that it went beyond, as in `ImageReadError`; None for none.
    """

    file_id: int
    size_bytes: int
    mtime_ns: int
    content_id: int | None
    skip_reason: str | None
    is_removed: bool
    ctime_ns: int | None = None
    inode: int | None = None
    limit_kind: str | None = None
    limit_value: float | None = None


class IndexedFile(NamedTuple):
    """A file that has a content, as it was when it was indexed; a tuple, as `KnownFile`. `path`: absolute."""

    path: str
    content_id: int
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class ContentRecord:
    """A new content: blake3 of the whole file, metadata of the picture, and its unit-norm embedding (dim,)."""

    blake3: bytes
    size_bytes: int
    metadata: ImageMetadata
    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ContentDetails:
    """What is known of a content; sizes and dates as in `tables.contents`."""

    content_id: int
    blake3: bytes
    size_bytes: int
    metadata: ImageMetadata
    added_at: datetime


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as it was when it was read: `blake3` of a content that is stored, or a `skip_reason`, with the limit that
    it went beyond, as in `ImageReadError`. Times and inode as in `FileStamp`."""

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
        ids: int64 (n,), content ids or caption ids.
        embeddings: float32 (n, dim), unit-norm to the precision of float16.
        last_embedding_id: the highest row number among them.
    """

    ids: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    last_embedding_id: int


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """An index file.

    Attributes:
        blake3: hex, of the whole file.
        row_count: embeddings in it.
        generation: of the embeddings when it was made.
        last_embedding_id: it holds the rows of SQL up to this one.
        ann: of one that does not compare with all rows, how it is searched and what that was measured to find, as JSON
            (`indexes.ivf_index.Tuning`); None: all are compared.

    Raises:
        StoreError: a value can't be one, whoever has written it: the hash becomes part of names.
    """

    blake3: str
    row_count: int
    generation: int
    last_embedding_id: int
    ann: str | None = None

    def __post_init__(self) -> None:
        if self.blake3 != "" and not is_digest(self.blake3):  # "": not written yet
            raise StoreError(_no_value("snapshots.blake3", self.blake3, "64 hex digits"))
        for number in (self.row_count, self.generation, self.last_embedding_id):
            if not is_number(number, 0, 1 << 62):
                raise StoreError(_no_value("snapshots", number, "a number of rows"))
        if self.ann is not None and not isinstance(self.ann, str):
            raise StoreError(_no_value("snapshots.ann", self.ann, "a text"))


def _no_value(column: str, value: object, wanted: str) -> str:
    return f"the catalog has {str(value)[:40]!r} as {column}, which is not {wanted}; {MENDS}"
