"""Read counts and sizes of a catalog."""

from clipsearch import paths
from clipsearch.indexes.ivf_tuning import Tuning, is_tuning
from clipsearch.indexes.names import list_own_files
from clipsearch.store import Store
from clipsearch.types import CatalogStatus, CurrentRun


def find_current_run(store: Store) -> CurrentRun | None:
    """Return the run that is going on, in this process or another."""
    return store.runs.find_current(is_writing=_is_writing(store))


def _is_writing(store: Store) -> bool:
    # The lock is probed only when a run seems to be going on: probing takes it for a moment.
    return store.runs.has_open() and store.is_being_written()


def read_status(store: Store) -> CatalogStatus:
    """Return counts and sizes, without loading a model."""
    files, pictures, skipped = store.pictures.counts()
    is_writing = _is_writing(store)
    current = store.reader.find_current_model()
    roots = store.roots.list_all()
    snapshot = None if current is None else store.reader.find_snapshot("images", model_id=current.model_id)
    return CatalogStatus(
        directory=str(store.place),
        model=None if current is None else current.name,
        models=store.models.list_all(),
        folders=tuple(scope.root for scope in roots),
        files=files,
        pictures=pictures,
        skipped=skipped,
        captions=store.captions.count(),
        database_bytes=store.size_bytes,
        index_bytes=sum(
            path.stat().st_size
            for path in list_own_files(paths.index_folder(store.place.directory))
            if path.suffix == ".faiss"
        ),
        last_run=store.runs.find_last(is_writing=is_writing),
        current_run=store.runs.find_current(is_writing=is_writing),
        ann=_parse_tuning(None if snapshot is None else snapshot.ann),
        formats=store.pictures.count_formats(),
        parts=store.reader.parts.count(),
        texts=store.texts.count(),
        exclude={scope.root: scope.exclude for scope in roots if scope.exclude},
    )


def _parse_tuning(ann: str | None) -> dict[str, float] | None:
    return Tuning.from_json(ann).to_dict() if ann is not None and is_tuning(ann) else None
