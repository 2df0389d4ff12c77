"""Read embeddings from folders in clip-retrieval's layout, as LAION's are, and Parquet files; exports are both."""

import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import InputError, first_line
from clipsearch.files import read_regular_file
from clipsearch.transfer.formats.description import (
    DESCRIPTION_KEY,
    DESCRIPTION_NAME,
    MAX_DESCRIPTION_BYTES,
    Description,
    parse_description,
    require_pyarrow,
)
from clipsearch.transfer.formats.source_rows import OWN_COLUMNS, SourceRow, gather_parts, source_rows

# Rows further from norm 1 are normalised; rounding to float16 changes a norm by less.
_NORM_TOLERANCE = 1e-3

_BATCH_ROWS = 1_000

# Version 3 differs from 2 only in field names, which plain arrays don't have.
_HEADER_READERS: dict[tuple[int, int], Callable[[BinaryIO], Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,
}

_VECTORS = "embedding"
_PICTURE_COLUMNS = ("image_path", "caption")


@dataclass(frozen=True, slots=True)
class _Part:
    """Embeddings with their metadata; one Parquet file may hold both."""

    vectors: Path | None
    metadata: Path
    rows: int


@dataclass(frozen=True, slots=True)
class EmbeddingSource:
    """Readable embeddings, checked as far as possible without reading all of them.

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
        """Yield all rows in order, in batches; those of the parts of a picture as one.

        Raises:
            InputError: a file is damaged.
        """
        batches = chain.from_iterable(map(self._batches_of, self.parts))
        yield from gather_parts(batches, where=str(self.path))

    def _batches_of(self, part: _Part) -> Iterator[list[SourceRow]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        is_ours = self.description is not None
        vectors = None if part.vectors is None else _open_vectors(part.vectors)
        start = 0
        try:
            with pq.ParquetFile(part.metadata) as file:
                names = file.schema_arrow.names
                wanted = [
                    *_PICTURE_COLUMNS,
                    *(OWN_COLUMNS if is_ours else ()),
                    *(() if vectors is not None else (_VECTORS,)),
                ]
                # At least one column, to count the rows by.
                columns = [name for name in wanted if name in names] or names[:1]
                for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                    if vectors is None:
                        rows = _unit_rows(_embedding_column(batch, self.dim, part.metadata))
                    else:
                        rows = _unit_rows(np.asarray(vectors[start : start + batch.num_rows]))
                    yield source_rows(batch, rows, is_ours=is_ours)
                    start += batch.num_rows
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"{part.metadata} can't be read: {first_line(error)}") from error


def open_source(path: Path) -> EmbeddingSource:
    """Open a folder or file of embeddings.

    Raises:
        MissingExtraError: pyarrow, which reads Parquet, is not installed.
        InputError: there is nothing to read, parts are missing or inconsistent, or a file is damaged.
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
                f"{path} is inconsistent: {source.dim} numbers a row, its description says {source.description.dim}"
            )
    return source


def _check_count(source: EmbeddingSource, wanted: int) -> None:
    if source.rows != wanted:
        raise InputError(f"{source.path} is an incomplete export: {source.rows:,} of {wanted:,} rows")


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
        raise InputError(f"{alone[number]} has no matching part {number} in {folder / other}")
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
        raise InputError(f"{path} is not a Parquet file with embeddings: {first_line(error)}") from error
    description = None if described is None else parse_description(described, where=str(path))
    return EmbeddingSource(path, description, dim, rows, (_Part(None, path, rows),))


def _numbered(folder: Path, ending: str) -> dict[int, Path]:
    """Return files by the number their name ends in, as in img_emb_0012.npy; 0 without a number."""
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
    """Map the array of a .npy file, (n, dim); it is read when it is accessed.

    Raises:
        InputError: it is not a .npy file with all its rows of floating-point numbers.
    """
    try:
        with path.open("rb") as file:
            shape, is_fortran, dtype = _read_header(file)
            offset, size_bytes = file.tell(), os.fstat(file.fileno()).st_size
        is_valid = len(shape) == 2 and all(type(side) is int and side >= 0 for side in shape) and dtype.kind == "f"
        if not is_valid or not shape[1]:
            raise InputError(f"{path} holds no rows of floating-point numbers")
        if math.prod(shape) * dtype.itemsize > size_bytes - offset:
            raise InputError(f"{path} is truncated: it holds fewer numbers than its header says")
        if not shape[0]:
            return np.empty(shape, dtype)
        return np.memmap(path, dtype, mode="r", offset=offset, shape=shape, order="F" if is_fortran else "C")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read: {first_line(error)}") from error


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether the order is Fortran's, and dtype of a .npy file.

    Raises:
        ValueError: its header is invalid.
    """
    version = np.lib.format.read_magic(file)
    if version not in _HEADER_READERS:
        raise ValueError(f"unknown .npy version {version[0]}.{version[1]}")
    try:
        header: tuple[tuple[int, ...], bool, np.dtype[Any]] = _HEADER_READERS[version](file)
    except OSError:
        raise
    except Exception as error:  # an untrusted Python literal
        raise ValueError(f"invalid header: {first_line(error)}") from error
    return header


def _count_rows(path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: int = pq.read_metadata(path).num_rows
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is not a Parquet file: {first_line(error)}") from error
    return rows


def _unit_rows(vectors: NDArray[Any]) -> list[NDArray[np.float32] | None]:
    """Normalise rows; None for those without a direction, zero or not finite."""
    with np.errstate(all="ignore"):  # the bytes are untrusted
        wide = vectors.astype(np.float64)
        norms = np.linalg.norm(wide, axis=1)
        is_good = np.isfinite(norms) & (norms > 0)
        is_long = is_good & (np.abs(norms - 1) > _NORM_TOLERANCE)
        wide[is_long] /= norms[is_long, np.newaxis]
        rows = wide.astype(np.float32)
    return [row if good else None for row, good in zip(rows, is_good, strict=True)]


def _embedding_column(batch: Any, dim: int, path: Path) -> NDArray[Any]:
    """Return the embedding column, (n, dim); null rows are NaN."""
    import pyarrow.compute as pc

    column = batch.column(batch.schema.get_field_index(_VECTORS))
    lengths = pc.list_value_length(column).drop_null().to_numpy(zero_copy_only=False)
    if np.any(lengths != dim):
        raise InputError(f"{path} holds embeddings of several lengths, not all of {dim}")
    is_set = column.is_valid().to_numpy(zero_copy_only=False)
    rows = np.full((len(column), dim), np.nan)
    rows[is_set] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
    return rows
