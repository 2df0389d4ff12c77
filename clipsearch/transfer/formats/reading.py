"""Reads embeddings that were made elsewhere: folders in the layout of clip-retrieval, as LAION's are, and single
Parquet files with a column of embeddings; exports of clipsearch are both."""

import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import InputError, first_line
from clipsearch.files import read_regular_file
from clipsearch.images.dates import is_doubtful
from clipsearch.transfer.formats.description import (
    DESCRIPTION_KEY,
    DESCRIPTION_NAME,
    MAX_DESCRIPTION_BYTES,
    Description,
    parse_description,
    require_pyarrow,
)
from clipsearch.types import ImageMetadata

# Rows further from norm 1 than this are normalised; rounding to float16 moves a norm by less.
_NORM_TOLERANCE = 1e-3

_BATCH_ROWS = 1_000

# Version 3 differs from 2 in names of fields only, which rows of numbers have none of.
_HEADER_READERS: dict[tuple[int, int], Callable[[BinaryIO], Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,
}

_VECTORS = "embedding"
_PICTURE_COLUMNS = ("image_path", "caption")
_OWN_COLUMNS = (
    "blake3",
    "width",
    "height",
    "format",
    "size_bytes",
    "taken_at",
    "camera",
    "latitude",
    "longitude",
    "copies",
    "raw_paths",
)

# Of some thousand folders.
_MAX_DESCRIPTION_BYTES = 10_000_000

# Of bytes, width and height: what the store's columns hold.
_LIMITS = (1 << 63, 1 << 31, 1 << 31)


@dataclass(frozen=True, slots=True)
class SourceContent:
    """What an export of clipsearch knows of a picture, without its file; as `store.ContentRecord` has it."""

    blake3: bytes
    size_bytes: int
    metadata: ImageMetadata


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One picture.

    Attributes:
        paths: as they are given, absolute or not; empty where only a URL is known.
        caption: None where there is none.
        content: None where it is not all known.
        embedding: (dim,) unit-norm; None where the row is zero or not finite.
    """

    paths: tuple[str, ...]
    caption: str | None
    content: SourceContent | None
    embedding: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class _Part:
    """Vectors with their metadata; one Parquet file may hold both."""

    vectors: Path | None
    metadata: Path
    rows: int


@dataclass(frozen=True, slots=True)
class EmbeddingSource:
    """Embeddings that can be read, checked as far as that is possible without reading all of them.

    Attributes:
        path: of the folder or file.
        description: None unless clipsearch has written it.
        rows: of all parts.
    """

    path: Path
    description: Description | None
    dim: int
    rows: int
    parts: tuple[_Part, ...]
    captions: "EmbeddingSource | None" = None

    def batches(self) -> Iterator[list[SourceRow]]:
        """All rows in their order, some at a time.

        Raises:
            InputError: a file is damaged.
        """
        for part in self.parts:
            yield from self._batches_of(part)

    def _batches_of(self, part: _Part) -> Iterator[list[SourceRow]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        is_ours = self.description is not None
        vectors = None if part.vectors is None else _open_vectors(part.vectors)
        start = 0
        try:
            with pq.ParquetFile(part.metadata) as file:
                there = file.schema_arrow.names
                wanted = [
                    *_PICTURE_COLUMNS,
                    *(_OWN_COLUMNS if is_ours else ()),
                    *(() if vectors is not None else (_VECTORS,)),
                ]
                # Without any column there is nothing to count the rows by.
                columns = [name for name in wanted if name in there] or there[:1]
                for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                    if vectors is None:
                        rows = _unit_rows(_embedding_column(batch, self.dim, part.metadata))
                    else:
                        rows = _unit_rows(np.asarray(vectors[start : start + batch.num_rows]))
                    yield _source_rows(batch, rows, is_ours=is_ours)
                    start += batch.num_rows
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"{part.metadata} can't be read: {first_line(error)}") from error


def open_source(path: Path) -> EmbeddingSource:
    """
    Raises:
        MissingExtraError: what reads Parquet is not installed.
        InputError: there is nothing to read, parts are missing or don't fit together, or a file is damaged.
    """
    require_pyarrow()
    if path.is_dir():
        description = _find_description(path / DESCRIPTION_NAME)
        source = _open_folder(path, "img_emb", description)
        if description is not None and description.captions:
            captions = _open_folder(path / "captions", "text_emb", description)
            _check_count(captions, description.captions)
            source = replace(source, captions=captions)
    elif path.is_file():
        source = _open_file(path)
    else:
        raise InputError(f"no folder or file {path} to import from")
    if source.description is not None:
        _check_count(source, source.description.pictures)
        if source.dim != source.description.dim:
            raise InputError(
                f"{path} does not fit together: {source.dim} numbers a row, not the {source.description.dim} that were "
                "written"
            )
    return source


def _check_count(source: EmbeddingSource, wanted: int) -> None:
    if source.rows != wanted:
        raise InputError(f"{source.path} is not all of the export: {source.rows:,} of {wanted:,} rows are there")


def _find_description(path: Path) -> Description | None:
    try:
        return parse_description(read_regular_file(path, max_bytes=MAX_DESCRIPTION_BYTES), where=str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error


def _open_folder(folder: Path, kind: str, description: Description | None) -> EmbeddingSource:
    vectors, metadata = _numbered(folder / kind, ".npy"), _numbered(folder / "metadata", ".parquet")
    if not vectors:
        raise InputError(
            f"{folder} holds no embeddings: looked for {kind}/{kind}_0.npy and metadata/metadata_0.parquet, as "
            "clip-retrieval and 'clipsearch export' write them"
        )
    for number in vectors.keys() ^ metadata.keys():
        alone, other = (vectors, "metadata/*.parquet") if number in vectors else (metadata, f"{kind}/*.npy")
        raise InputError(f"{alone[number]} has no part {number} beside it in {folder / other}")
    parts, dims = [], set()
    for number in sorted(vectors):
        rows, dim = _open_vectors(vectors[number]).shape
        known = _count_rows(metadata[number])
        if rows != known:
            raise InputError(
                f"{vectors[number]} and {metadata[number]} don't belong together: {rows:,} embeddings, {known:,} rows"
            )
        parts.append(_Part(vectors[number], metadata[number], rows))
        dims.add(dim)
    if len(dims) > 1:
        raise InputError(f"{folder} holds embeddings of several models: {sorted(dims)} numbers a row")
    return EmbeddingSource(folder, description, dims.pop(), sum(part.rows for part in parts), tuple(parts))


def _open_file(path: Path) -> EmbeddingSource:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            if _VECTORS not in schema.names:
                raise InputError(f"{path} has no column '{_VECTORS}'; it has {', '.join(schema.names[:10])}")
            described = (schema.metadata or {}).get(DESCRIPTION_KEY)
            first = next(file.iter_batches(1, columns=[_VECTORS]), None)
            if first is None or rows == 0 or not first.column(0)[0].is_valid:
                raise InputError(f"{path} holds no embeddings")
            dim = len(first.column(0)[0])
    except (pa.ArrowException, OSError, TypeError) as error:
        raise InputError(f"{path} is no Parquet file with embeddings: {first_line(error)}") from error
    description = None if described is None else parse_description(described, where=str(path))
    return EmbeddingSource(path, description, dim, rows, (_Part(None, path, rows),))


def _numbered(folder: Path, ending: str) -> dict[int, Path]:
    """Files by the number their name ends in, as in img_emb_0012.npy; one without a number is number 0."""
    found: dict[int, Path] = {}
    try:
        names = sorted(path for path in folder.iterdir() if path.suffix == ending and path.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InputError(f"can't look into {folder}: {error.strerror or error}") from error
    for path in names:
        digits = re.search(r"\d{1,18}$", path.stem, re.ASCII)
        number = int(digits[0]) if digits else 0
        if number in found:
            raise InputError(f"{found[number]} and {path} have the same number")
        found[number] = path
    return found


def _open_vectors(path: Path) -> NDArray[Any]:
    """(n, dim), read when it is looked at.

    Raises:
        InputError: it is no .npy file of so many rows of floating-point numbers.
    """
    try:
        with path.open("rb") as file:
            shape, is_fortran, dtype = _read_header(file)
            offset, size_bytes = file.tell(), os.fstat(file.fileno()).st_size
        is_right = len(shape) == 2 and all(type(side) is int and side >= 0 for side in shape) and dtype.kind == "f"
        if not is_right or not shape[1]:
            raise InputError(f"{path} holds no rows of floating-point numbers")
        if math.prod(shape) * dtype.itemsize > size_bytes - offset:
            raise InputError(f"{path} is cut off: it does not hold as many numbers as it says")
        if not shape[0]:
            return np.empty(shape, dtype)
        return np.memmap(path, dtype, mode="r", offset=offset, shape=shape, order="F" if is_fortran else "C")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read: {first_line(error)}") from error


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is in Fortran's order, and the type of a .npy file's numbers.

    Raises:
        ValueError: it has no such header.
    """
    version = np.lib.format.read_magic(file)
    if version not in _HEADER_READERS:
        raise ValueError(f"version {version[0]}.{version[1]} of .npy is not known here")
    try:
        header: tuple[tuple[int, ...], bool, np.dtype[Any]] = _HEADER_READERS[version](file)
    except OSError:
        raise
    except Exception as error:  # it is a literal of Python, in which anything can be wrong
        raise ValueError(f"its header can't be understood: {first_line(error)}") from error
    return header


def _count_rows(path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: int = pq.read_metadata(path).num_rows
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is no Parquet file: {first_line(error)}") from error
    return rows


def _unit_rows(vectors: NDArray[Any]) -> list[NDArray[np.float32] | None]:
    """None for rows that have no direction: zero, not finite."""
    with np.errstate(all="ignore"):  # any bytes can stand there
        wide = vectors.astype(np.float64)
        norms = np.linalg.norm(wide, axis=1)
        is_good = np.isfinite(norms) & (norms > 0)
        is_long = is_good & (np.abs(norms - 1) > _NORM_TOLERANCE)
        wide[is_long] /= norms[is_long, np.newaxis]
        rows = wide.astype(np.float32)
    return [row if good else None for row, good in zip(rows, is_good, strict=True)]


def _embedding_column(batch: Any, dim: int, path: Path) -> NDArray[Any]:
    """(n, dim); rows that are null are NaN."""
    import pyarrow.compute as pc

    column = batch.column(batch.schema.get_field_index(_VECTORS))
    lengths = pc.list_value_length(column).drop_null().to_numpy(zero_copy_only=False)
    if np.any(lengths != dim):
        raise InputError(f"{path} holds embeddings of several lengths, not all of {dim}")
    is_there = column.is_valid().to_numpy(zero_copy_only=False)
    rows = np.full((len(column), dim), np.nan)
    rows[is_there] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
    return rows


def _source_rows(batch: Any, embeddings: list[NDArray[np.float32] | None], *, is_ours: bool) -> list[SourceRow]:
    paths, captions = _texts(batch, "image_path"), _texts(batch, "caption")
    names = {name: number for number, name in enumerate(batch.schema.names)}
    kept = {name: batch.column(names[name]).to_pylist() for name in _OWN_COLUMNS if is_ours and name in names}
    rows = []
    for row, embedding in enumerate(embeddings):
        path, caption = paths[row], captions[row]
        its_paths: tuple[str, ...] = () if path is None else (os.fsdecode(path),)
        its = {name: values[row] for name, values in kept.items()}
        if raw := its.get("raw_paths"):
            its_paths = tuple(os.fsdecode(each) for each in raw)
        elif copies := its.get("copies"):
            its_paths += tuple(copies)
        text = None if caption is None else caption.decode("utf-8", "replace")
        rows.append(SourceRow(its_paths, text, _source_content(its) if is_ours else None, embedding))
    return rows


def _source_content(its: dict[str, Any]) -> SourceContent | None:
    """None where something is missing or makes no sense."""
    try:
        digest = bytes.fromhex(its["blake3"])
        size_bytes, width, height = sizes = [int(its[name]) for name in ("size_bytes", "width", "height")]
        format_name, camera, taken_at = str(its["format"])[:16], its["camera"], its["taken_at"]
        latitude, longitude = its["latitude"], its["longitude"]
        if len(digest) != 32 or not all(0 < size < limit for size, limit in zip(sizes, _LIMITS, strict=True)):
            return None
        if latitude is None or longitude is None or not (abs(latitude) <= 90 and abs(longitude) <= 180):
            latitude = longitude = None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
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
    )
    return SourceContent(digest, size_bytes, metadata)


def _texts(batch: Any, name: str) -> list[bytes | None]:
    """A column of texts as bytes, which need not be UTF-8; all None where there is no such column."""
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
