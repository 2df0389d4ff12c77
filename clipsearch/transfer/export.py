"""Export the embeddings of a catalog to files for other programs."""

import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from clipsearch import paths
from clipsearch.errors import InputError, StoreError
from clipsearch.indexing import Progress
from clipsearch.session.session import Session
from clipsearch.store import utc_now
from clipsearch.transfer.formats.description import Description, require_pyarrow
from clipsearch.transfer.formats.seal import seal
from clipsearch.transfer.formats.writing import part_count, write_file, write_folder

DEFAULT_PART_ROWS = 1_000_000
"""Rows that clip-retrieval writes into a part."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """Report of an export.

    Attributes:
        path: absolute.
        model: its name.
        pictures: different pictures that have a file.
        embeddings: rows; of pictures, and of their parts.
        captions: rows.
        parts: files with embeddings of pictures.
        size_bytes: of all files.
        concepts, albums: that have examples or pictures.
    """

    path: str
    model: str
    dim: int
    pictures: int
    embeddings: int
    captions: int
    parts: int
    size_bytes: int
    seconds: float
    concepts: int = 0
    albums: int = 0
    saved_searches: int = 0


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Options of an export.

    Attributes:
        part_rows: rows in each file of a folder.
        captions: export the stored captions too.
        force: replace a file, or write into a folder, that is not an export.
    """

    part_rows: int = DEFAULT_PART_ROWS
    captions: bool = False
    force: bool = False


def export_embeddings(
    target: str | os.PathLike[str],
    options: ExportOptions,
    session: Session,
    on_progress: Progress | None,
) -> ExportReport:
    """Write a snapshot of all embeddings, with the metadata of their pictures, atomically."""
    start, part_rows, force = perf_counter(), options.part_rows, options.force
    require_pyarrow()
    if part_rows < 1:
        raise InputError(f"a part must have at least 1 row, not {part_rows}")
    if not os.fspath(target):
        raise InputError("the name of the export is empty")
    place = paths.expand_user(target).absolute()
    is_file = place.suffix.lower() == ".parquet" and not place.is_dir()
    if options.captions and is_file:
        raise InputError("captions have no place in a single file: name a folder for them")
    session.require_pictures()
    model = session.model.row
    with session.store.exporting(model_id=model.model_id, dim=model.dim) as reader:
        pictures = reader.count_pictures()
        embeddings = pictures + reader.count_parts()
        description = Description(
            model=model.name,
            fingerprint=model.fingerprint,
            dim=model.dim,
            pictures=embeddings,
            captions=reader.count_captions() if options.captions else 0,
            parts=1 if is_file else part_count(embeddings, part_rows),
            folders=tuple(session.store.reader.folders()),
            exported_at=utc_now().isoformat(timespec="seconds"),
            concepts=tuple(reader.concepts()),
            albums=tuple(reader.albums()),
            saved_searches=tuple(reader.saved_searches()),
        )
        description = seal(description)
        if not description.pictures:
            raise StoreError("nothing to export: no picture of the catalog has a file")
        try:
            with (
                write_file(place, description, force=force)
                if is_file
                else write_folder(place, description, part_rows=part_rows, force=force)
            ) as writer:
                done = 0
                for page in reader.pictures():
                    writer.add_pictures(page)
                    done += len(page)
                    if on_progress is not None:
                        on_progress(done, description.pictures)
                if description.captions:
                    for captions_page in reader.captions():
                        writer.add_captions(captions_page)
        except OSError as error:
            raise StoreError(f"can't write the export {place}: {error.strerror or error}") from error
    return ExportReport(
        path=str(place),
        model=description.model,
        dim=description.dim,
        pictures=pictures,
        embeddings=embeddings,
        captions=description.captions,
        parts=description.parts,
        size_bytes=_size(place),
        seconds=perf_counter() - start,
        concepts=len(description.concepts),
        albums=len(description.albums),
        saved_searches=len(description.saved_searches),
    )


def _size(place: Path) -> int:
    if place.is_file():
        return place.stat().st_size
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
