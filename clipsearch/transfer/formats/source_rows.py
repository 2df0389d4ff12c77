"""Convert rows of an untrusted Parquet file to records, those of the parts of a picture to one."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.description import unpack
from clipsearch.errors import InputError
from clipsearch.images.dates import is_doubtful
from clipsearch.parts import MOST_SECONDS, Parts
from clipsearch.store.exports import ExportedPart
from clipsearch.store.values import is_number
from clipsearch.transfer.formats.part_column import unpack_part
from clipsearch.types import ImageMetadata

_MEASURES = ("sharpness", "brightness")
OWN_COLUMNS = (
    *("blake3", "width", "height", "format", "size_bytes", "taken_at", "camera", "latitude", "longitude"),
    *("copies", "raw_paths", "duration_s", "part", "description", *_MEASURES),
)
"""Columns of exports, besides `image_path` and the embedding; some are missing in those of earlier versions."""


# Limits of bytes, width and height in the store's columns.
_LIMITS = (1 << 63, 1 << 31, 1 << 31)


@dataclass(frozen=True, slots=True)
class SourceContent:
    """Content of a picture in an export of clipsearch; fields as in `store.ContentRecord`."""

    blake3: bytes
    size_bytes: int
    metadata: ImageMetadata


@dataclass(frozen=True, slots=True)
class SourceRow:
    """Row of one picture.

    Attributes:
        paths: as in the file, absolute or not; empty when only a URL is known.
        caption: None without one.
        content: None when it is incomplete.
        embedding: (dim,) unit-norm; None when the row is zero or not finite. Of several parts, that of the cover.
        part: which part of its content a single row is of; None: the whole picture, or all parts.
        parts: of a content whose parts are known, as in `store.ContentRecord`.
        part_embeddings: unit-norm (len(parts) - 1, dim) of the parts besides the cover; None without any.
    """

    paths: tuple[str, ...]
    caption: str | None
    content: SourceContent | None
    embedding: NDArray[np.float32] | None
    part: ExportedPart | None = None
    parts: Parts = ()
    part_embeddings: NDArray[np.float32] | None = None

    @property
    def rows(self) -> int:
        """Number of rows in the file."""
        return max(1, len(self.parts))


def source_rows(batch: Any, embeddings: list[NDArray[np.float32] | None], *, is_ours: bool) -> list[SourceRow]:
    """Convert rows.

    Raises:
        ValueError: a part is invalid.
    """
    paths, captions = _texts(batch, "image_path"), _texts(batch, "caption")
    names = {name: number for number, name in enumerate(batch.schema.names)}
    columns = {name: batch.column(names[name]).to_pylist() for name in OWN_COLUMNS if is_ours and name in names}
    rows = []
    for row, embedding in enumerate(embeddings):
        path, caption = paths[row], captions[row]
        row_paths: tuple[str, ...] = () if path is None else (os.fsdecode(path),)
        fields = {name: values[row] for name, values in columns.items()}
        if raw := fields.get("raw_paths"):
            row_paths = tuple(os.fsdecode(name) for name in raw)
        elif copies := fields.get("copies"):
            row_paths += tuple(copies)
        text = None if caption is None else caption.decode("utf-8", "replace")
        part = unpack_part(fields.get("part"))
        rows.append(SourceRow(row_paths, text, _source_content(fields) if is_ours else None, embedding, part))
    return rows


def gather_parts(batches: Iterable[list[SourceRow]], *, where: str) -> Iterator[list[SourceRow]]:
    """Yield batches in which a content of several parts, whose rows follow each other, is one row.

    Raises:
        InputError: a part is missing, or is not where it belongs.
    """
    group: list[SourceRow] = []
    for batch in batches:
        rows = []
        for row in batch:
            if row.part is None and not group:
                rows.append(row)
                continue
            if not _is_next(group, row):
                raise InputError(f"{where} is damaged: the parts of a picture are incomplete or out of order")
            group.append(row)
            if row.part is not None and len(group) == row.part.count:
                rows.append(_joined(group))
                group = []
        if rows:
            yield rows
    if group:
        raise InputError(f"{where} is damaged: the parts of its last picture are incomplete")


def _is_next(group: list[SourceRow], row: SourceRow) -> bool:
    """Return whether a row is the next part of a content."""
    part, first = row.part, group[0] if group else row
    if part is None or first.part is None or (part.number, part.count) != (len(group), first.part.count):
        return False
    return (row.content and row.content.blake3) == (first.content and first.content.blake3)


def _joined(group: list[SourceRow]) -> SourceRow:
    """Join the rows of all parts of a content; without an embedding when one of them has none."""
    cover, embeddings = group[0], [row.embedding for row in group if row.embedding is not None]
    is_whole = len(embeddings) == len(group)
    return replace(
        cover,
        embedding=cover.embedding if is_whole else None,
        part=None,
        parts=tuple(None if row.part is None else row.part.part for row in group),
        part_embeddings=np.stack(embeddings[1:]) if is_whole and len(group) > 1 else None,
    )


def _source_content(fields: dict[str, Any]) -> SourceContent | None:
    """Return the content of a row; None when something is missing or invalid."""
    try:
        digest = bytes.fromhex(fields["blake3"])
        size_bytes, width, height = sizes = [int(fields[name]) for name in ("size_bytes", "width", "height")]
        format_name, camera, taken_at = str(fields["format"])[:16], fields["camera"], fields["taken_at"]
        latitude, longitude = fields["latitude"], fields["longitude"]
        if len(digest) != 32 or not all(0 < size < limit for size, limit in zip(sizes, _LIMITS, strict=True)):
            return None
        if latitude is None or longitude is None or not (abs(latitude) <= 90 and abs(longitude) <= 180):
            latitude = longitude = None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    # Exports of earlier versions have none.
    measures: dict[str, Any] = {name: value for name in _MEASURES if is_number(value := fields.get(name), 0, 100)}
    duration_s = fields.get("duration_s")
    is_duration = isinstance(duration_s, float) and 0 <= duration_s <= MOST_SECONDS
    taken_at = taken_at.replace(tzinfo=None) if isinstance(taken_at, datetime) else None
    metadata = ImageMetadata(
        width=width,
        height=height,
        format=format_name,
        taken_at=taken_at,
        camera=None if camera is None else str(camera)[:128],
        latitude=latitude,
        longitude=longitude,
        is_date_doubtful=taken_at is not None and is_doubtful(taken_at, now=datetime.now()),
        duration_s=duration_s if is_duration else None,
        description=unpack(described) if isinstance(described := fields.get("description"), str) else None,
        **measures,
    )
    return SourceContent(digest, size_bytes, metadata)


def _texts(batch: Any, name: str) -> list[bytes | None]:
    """Return a text column as bytes, which need not be UTF-8; all None without the column."""
    import pyarrow as pa

    number = batch.schema.get_field_index(name)
    if number < 0:
        return [None] * batch.num_rows
    column = batch.column(number)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type):
        column = column.cast(pa.binary())
    elif pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    elif not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        return [None] * batch.num_rows
    texts: list[bytes | None] = column.to_pylist()
    return texts
