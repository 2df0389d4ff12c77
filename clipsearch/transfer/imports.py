"""Import embeddings that were computed elsewhere, so that no picture is embedded twice."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from queue import SimpleQueue
from time import perf_counter

from clipsearch import paths
from clipsearch.encoders.base import Encoder
from clipsearch.errors import IndexMismatchError, InputError
from clipsearch.images.decode import DecodingLimits, default_limits
from clipsearch.images.worker_pool import WorkerPool
from clipsearch.indexing import Progress
from clipsearch.indexing.interrupt import DeferredInterrupt
from clipsearch.indexing.stacks import find_stacks
from clipsearch.session.session import Session
from clipsearch.transfer.albums import import_albums, import_searches
from clipsearch.transfer.concepts import import_concepts
from clipsearch.transfer.formats.reading import EmbeddingSource, open_source
from clipsearch.transfer.model_check import Candidate, check_model
from clipsearch.transfer.places import present_paths
from clipsearch.transfer.rows import RowImport, Run
from clipsearch.types import SkippedFile

__all__ = ["ImportReport", "import_embeddings"]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Report of an import.

    rows = added + known + missing + broken + len(skipped), unless it was interrupted.

    Attributes:
        rows: in the files that were read.
        added: rows whose embedding is new in the catalog.
        known: rows of pictures that had an embedding already, which was kept; also copies within the files.
        missing: rows that were left out because their pictures do not exist.
        broken: rows that were left out because their embedding is zero or not finite.
        skipped: pictures that were left out because they can't be read.
        files: that can be found now, copies included.
        without_file: pictures among those added or known that no file was recorded for: they are found when a file with
            their content is indexed, which costs no embedding.
        outside: of these, pictures whose file exists, but in no indexed folder.
        captions: added.
        checked: pictures that were embedded to check whether the model is the right one.
        cosine: their median to the embeddings that were read; NaN when none was checked.
        interrupted: stopped by the user before the end; what was done is kept.
        concepts: of which an example is in the catalog, added or given more examples.
        albums: of which a picture is in the catalog, added or given more pictures.
        saved_searches: added; those of a name that is taken are left out.
    """

    rows: int
    added: int
    known: int
    missing: int
    broken: int
    skipped: tuple[SkippedFile, ...]
    files: int
    without_file: int
    outside: int
    captions: int
    checked: int
    cosine: float
    seconds: float
    model: str
    interrupted: bool = False
    concepts: int = 0
    albums: int = 0
    saved_searches: int = 0


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import.

    Attributes:
        images: folder that relative paths start from; it becomes an indexed folder.
        roots: folders to trust: a folder named in the export becomes an indexed one only as far as it overlaps one of
            these and contains pictures of the export. An export made by this user on this machine needs none.
        trust: import embeddings of a foreign source even when there is no picture to compare them with.
        captions: import captions too.
        limits: of memory and time for a picture; None: the defaults.
        wait: wait until no other process changes the catalog.
    """

    images: str | os.PathLike[str] | None = None
    roots: tuple[str | os.PathLike[str], ...] = ()
    trust: bool = False
    captions: bool = False
    limits: DecodingLimits | None = None
    wait: bool = False


def import_embeddings(
    source: str | os.PathLike[str],
    options: ImportOptions,
    session: Session,
    on_progress: Progress | None,
) -> ImportReport:
    """Add the embeddings of a source, checked against the catalog's model, and hash the pictures that exist."""
    start = perf_counter()
    limits = options.limits or default_limits()
    folder = None if options.images is None else _images_folder(options.images)
    named = [_images_folder(root) for root in options.roots]
    opened = open_source(paths.folder_path(source))
    with session.store.writing(wait=options.wait, alone=False):
        encoder = _load_encoder(opened, session)
        run = Run()
        with ExitStack() as stack, DeferredInterrupt(SimpleQueue()) as interrupt:
            pool = stack.enter_context(closing(WorkerPool(encoder.preprocess, limits=limits)))
            try:
                if opened.description is None:
                    run.check = check_model(
                        _candidates(opened, folder, interrupt),
                        encoder=encoder,
                        open_path=pool.open_path,
                        where=str(opened.path),
                    )
                    if not run.check.pictures and not options.trust:
                        raise InputError(
                            f"no picture of {opened.path} is here to check that its embeddings come from the model "
                            f"{encoder.name}: say where they are with --images DIR, or that you know with --trust"
                        )
                RowImport(
                    opened,
                    session.store,
                    encoder=encoder,
                    model_id=session.model.row.model_id,
                    folder=folder,
                    named=named,
                    open_path=pool.open_path,
                    max_bytes=limits.max_bytes,
                    run=run,
                ).run(interrupt, with_captions=options.captions, on_progress=on_progress)
            except KeyboardInterrupt:
                run.interrupted = True
        if not run.interrupted:
            if opened.description is not None:
                run.concepts = import_concepts(opened.description.concepts, session.store)
                run.albums = import_albums(opened.description.albums, session)
                run.saved_searches = import_searches(opened.description.saved_searches, session)
            find_stacks(session.store, model_id=session.model.row.model_id, dim=encoder.dim)
            session.refresh("images", "captions")
    return ImportReport(
        rows=run.rows,
        added=run.added,
        known=run.known,
        missing=run.missing,
        broken=run.broken,
        skipped=tuple(run.skipped),
        files=run.files,
        without_file=run.without_file,
        outside=run.outside,
        captions=run.captions,
        checked=run.check.pictures,
        cosine=run.check.cosine,
        seconds=perf_counter() - start,
        model=encoder.name,
        interrupted=run.interrupted,
        concepts=run.concepts,
        albums=run.albums,
        saved_searches=run.saved_searches,
    )


def _images_folder(images: str | os.PathLike[str]) -> str:
    path = paths.folder_path(images)
    if not path.is_dir():
        raise InputError(f"no folder {path} of pictures")
    return os.path.realpath(path)


def _load_encoder(source: EmbeddingSource, session: Session) -> Encoder:
    """Load the catalog's encoder, and check it against the source.

    Raises:
        IndexMismatchError: the embeddings are of another model, or of another dimension.
    """
    description = source.description
    if description is not None:
        session.model.suggest(description.model)
    current, encoder = session.store.reader.find_current_model(), session.model.encoder
    if current is not None and encoder.fingerprint != current.fingerprint:
        raise IndexMismatchError(
            f"this catalog uses the model {current.name}. To switch: clipsearch model use {encoder.name}"
        )
    if description is not None and description.fingerprint != encoder.fingerprint:
        if description.model == encoder.name:
            raise IndexMismatchError(
                f"{source.path} was exported with another version of the model {encoder.name}: its embeddings can't "
                "be compared with those made here"
            )
        raise IndexMismatchError(
            f"{source.path} was exported with the model {description.model}, and this is {encoder.name}: import it "
            f"into a catalog with that model; to switch this one: clipsearch model use {description.model}"
        )
    if source.dim != encoder.dim:
        raise IndexMismatchError(
            f"{source.path} holds embeddings of {source.dim} numbers, the model {encoder.name} makes {encoder.dim}: "
            "name the model that they come from with --model"
        )
    return encoder


def _candidates(source: EmbeddingSource, folder: str | None, interrupt: DeferredInterrupt) -> Iterator[Candidate]:
    for rows in source.batches():
        interrupt.check()
        for row in rows:
            for path in present_paths(row.paths[:1], folder):
                if row.embedding is not None:
                    yield path, row.embedding
