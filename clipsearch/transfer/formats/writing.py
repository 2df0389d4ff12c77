"""Write exports atomically: to a scratch name first, then renamed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from clipsearch.description import NOTHING, pack
from clipsearch.errors import InputError
from clipsearch.files import atomic_file, create_file, is_replaced, read_regular_file
from clipsearch.store.exports import ExportedCaption, ExportedPicture
from clipsearch.transfer.formats.description import (
    DESCRIPTION_KEY,
    DESCRIPTION_NAME,
    MAX_DESCRIPTION_BYTES,
    Description,
    parse_description,
)
from clipsearch.transfer.formats.part_column import pack_part

SCRATCH_PREFIX = ".clipsearch-"
"""Prefix as in the store, by which leftovers of killed processes are recognised."""

_ENTRIES = ("img_emb", "metadata", "captions")
"""Entries of an export in its folder, besides the description."""


class ExportWriter(Protocol):
    """Writer of exactly the numbers of rows in the description."""

    def add_pictures(self, rows: list[ExportedPicture]) -> None: ...

    def add_captions(self, rows: list[ExportedCaption]) -> None: ...


@contextmanager
def write_folder(target: Path, description: Description, *, part_rows: int, force: bool) -> Iterator[ExportWriter]:
    """Write a folder in the layout of clip-retrieval, which appears when the block ends, or stays unchanged on error.

    An existing export is replaced, other files in its folder stay.

    Raises:
        InputError: `target` is a file, or a folder that holds other things and `force` is false.
    """
    _check_folder(target, force=force)
    # Inside of an existing folder, which may be another drive.
    place = target if target.is_dir() else target.parent
    scratch = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, suffix=".new", dir=place))  # 0700
    try:
        with ExitStack() as stack:
            pictures = _Parts(scratch, "img_emb", description.pictures, dim=description.dim, part_rows=part_rows)
            captions = _Parts(
                scratch / "captions", "text_emb", description.captions, dim=description.dim, part_rows=part_rows
            )
            stack.callback(pictures.close)
            stack.callback(captions.close)
            yield _FolderWriter(pictures, captions)
            pictures.finish()
            captions.finish()
        with create_file(scratch / DESCRIPTION_NAME) as file:
            file.write(description.to_json())
        _take_place(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def write_file(target: Path, description: Description, *, force: bool) -> Iterator[ExportWriter]:
    """Write a single Parquet file with a column `embedding`, a fixed-size list of float16; else as `write_folder`.

    Raises:
        InputError: `target` exists, is not an export, and `force` is false.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    _check_file(target, force=force)
    with atomic_file(target, is_durable=True) as file:
        column = pa.field("embedding", pa.list_(pa.float16(), description.dim))
        schema = _picture_schema().append(column).with_metadata({DESCRIPTION_KEY: description.to_json()})
        with pq.ParquetWriter(file, schema) as writer:
            yield _FileWriter(writer, schema, description.dim)


class _FolderWriter:
    def __init__(self, pictures: "_Parts", captions: "_Parts") -> None:
        self._pictures = pictures
        self._captions = captions

    def add_pictures(self, rows: list[ExportedPicture]) -> None:
        self._pictures.add(rows, _picture_schema(), _picture_columns)

    def add_captions(self, rows: list[ExportedCaption]) -> None:
        import pyarrow as pa

        schema = pa.schema([("caption", pa.string()), ("caption_id", pa.int64())])
        self._captions.add(
            rows,
            schema,
            lambda part: {"caption": [row.text for row in part], "caption_id": [row.caption_id for row in part]},
        )


class _FileWriter:
    def __init__(self, writer: Any, schema: Any, dim: int) -> None:
        self._writer = writer
        self._schema = schema
        self._dim = dim

    def add_pictures(self, rows: list[ExportedPicture]) -> None:
        import pyarrow as pa

        values = np.frombuffer(b"".join(row.embedding for row in rows), dtype="<f2")
        embeddings = pa.FixedSizeListArray.from_arrays(pa.array(values, pa.float16()), self._dim)
        columns = _picture_columns(rows) | {"embedding": embeddings}
        self._writer.write_table(pa.table(columns, schema=self._schema))

    def add_captions(self, rows: list[ExportedCaption]) -> None:
        raise InputError("captions have no place in a single file: name a folder for them")


class _Parts:
    """Embeddings and metadata of one kind, split into parts of equal size; nothing is created without rows."""

    def __init__(self, folder: Path, kind: str, count: int, *, dim: int, part_rows: int) -> None:
        """Take the folder and the sizes.

        Args:
            kind: "img_emb" or "text_emb".
            count: of all rows that will be added.
        """
        self._folder = folder
        self._kind = kind
        self._left = count
        self._dim = dim
        self._part_rows = part_rows
        # As clip-retrieval pads the numbers of the parts.
        self._digits = len(str(part_count(count, part_rows)))
        self._number = 0
        self._room = 0
        self._vectors: BinaryIO | None = None
        self._metadata: BinaryIO | None = None
        self._writer: Any = None

    def add(self, rows: list[Any], schema: Any, columns: Any) -> None:
        while rows:
            if self._room == 0:
                self._begin(schema)
            part, rows = rows[: self._room], rows[self._room :]
            self._write(part, schema, columns)
            self._room -= len(part)
            if self._room == 0:
                self._end()

    def finish(self) -> None:
        if self._room or self._left:
            raise ValueError("fewer rows than were announced")

    def close(self) -> None:
        """Close open files after a failure; errors of a full disk were raised before."""
        for each in (self._writer, self._vectors, self._metadata):
            if each is not None:
                with suppress(Exception):
                    each.close()

    def _begin(self, schema: Any) -> None:
        import pyarrow.parquet as pq

        if not self._left:
            raise ValueError("more rows than were announced")
        self._room = min(self._part_rows, self._left)
        self._left -= self._room
        number = str(self._number).zfill(self._digits)
        self._number += 1
        for folder in (self._folder, self._folder / self._kind, self._folder / "metadata"):
            folder.mkdir(exist_ok=True, mode=0o700)
        self._vectors = create_file(self._folder / self._kind / f"{self._kind}_{number}.npy")
        header = {"descr": "<f2", "fortran_order": False, "shape": (self._room, self._dim)}
        np.lib.format.write_array_header_1_0(self._vectors, header)
        self._metadata = create_file(self._folder / "metadata" / f"metadata_{number}.parquet")
        self._writer = pq.ParquetWriter(self._metadata, schema)

    def _write(self, rows: list[Any], schema: Any, columns: Any) -> None:
        import pyarrow as pa

        if self._vectors is not None:
            self._vectors.write(b"".join(row.embedding for row in rows))
        self._writer.write_table(pa.table(columns(rows), schema=schema))

    def _end(self) -> None:
        self._writer.close()
        for file in (self._vectors, self._metadata):
            if file is not None:
                _flush(file)
                file.close()
        self._writer = self._vectors = self._metadata = None


def part_count(rows: int, part_rows: int) -> int:
    return max(1, -(-rows // part_rows))


def _picture_schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("image_path", pa.string()),
            ("content_id", pa.int64()),
            ("blake3", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("format", pa.string()),
            ("size_bytes", pa.int64()),
            ("taken_at", pa.timestamp("us")),
            ("camera", pa.string()),
            ("latitude", pa.float64()),
            ("longitude", pa.float64()),
            ("sharpness", pa.int16()),
            ("brightness", pa.int16()),
            ("copies", pa.list_(pa.string())),
            # Only for pictures with a path that is not UTF-8: all their paths as bytes.
            ("raw_paths", pa.list_(pa.binary())),
            ("duration_s", pa.float64()),
            ("part", pa.string()),
            ("description", pa.string()),
        ]
    )


def _picture_columns(rows: list[ExportedPicture]) -> dict[str, Any]:
    shown = [[_utf8(path) for path in row.paths] for row in rows]
    described = (
        "width",
        "height",
        "format",
        "taken_at",
        "camera",
        "latitude",
        "longitude",
        *("sharpness", "brightness", "duration_s"),
    )
    return {
        "image_path": [paths[0] for paths in shown],
        "content_id": [row.details.content_id for row in rows],
        "blake3": [row.details.blake3.hex() for row in rows],
        "size_bytes": [row.details.size_bytes for row in rows],
        "copies": [paths[1:] for paths in shown],
        "raw_paths": [
            None if tuple(paths) == row.paths else [os.fsencode(path) for path in row.paths]
            for paths, row in zip(shown, rows, strict=True)
        ],
        "part": [pack_part(row.part) for row in rows],
        "description": [pack(row.details.metadata.description or NOTHING) for row in rows],
    } | {name: [getattr(row.details.metadata, name) for row in rows] for name in described}


def _utf8(path: str) -> str:
    """Return a path with "�" for bytes that are not UTF-8, which Parquet strings can't hold."""
    return os.fsencode(path).decode("utf-8", "replace")


def _check_folder(target: Path, *, force: bool) -> None:
    _check_parent(target)
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise InputError(f"{target} exists and is not a folder: name another one for the export")
    if force or all(each.name.startswith(SCRATCH_PREFIX) for each in target.iterdir()):
        return
    try:
        content = read_regular_file(target / DESCRIPTION_NAME, max_bytes=MAX_DESCRIPTION_BYTES)
        parse_description(content, where=str(target))
    except (OSError, InputError) as error:
        raise InputError(
            f"{target} holds files that are not part of an export: name another folder, or add the export to it with "
            "--force"
        ) from error


def _check_file(target: Path, *, force: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    _check_parent(target)
    if not is_replaced(target) or force:
        return
    try:
        metadata = pq.read_schema(target).metadata or {}
        parse_description(metadata.get(DESCRIPTION_KEY, b""), where=str(target))
    except (OSError, pa.ArrowException, InputError) as error:
        raise InputError(
            f"{target} exists and is not an export: name another file, or replace it with --force"
        ) from error


def _check_parent(target: Path) -> None:
    if not target.parent.is_dir():
        raise InputError(f"no folder {target.parent} to write the export to")


def _take_place(scratch: Path, target: Path) -> None:
    """Move the finished export to its place, with one rename when nothing is there.

    Otherwise the description is moved away first and comes last: without it a half-replaced export is not mistaken for
    a complete one.
    """
    if not target.is_dir():
        scratch.rename(target)
        return
    old = scratch / "old"
    old.mkdir(mode=0o700)
    moves = [(target / name, old / name) for name in (DESCRIPTION_NAME, *_ENTRIES)]
    moves += [(scratch / name, target / name) for name in (*_ENTRIES, DESCRIPTION_NAME)]
    done = []
    try:
        for source, place in moves:
            if os.path.lexists(source):
                source.rename(place)
                done.append((source, place))
    except BaseException:
        for source, place in reversed(done):
            place.rename(source)
        raise


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
