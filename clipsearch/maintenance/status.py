"""Counts and sizes of a catalog."""

from dataclasses import asdict

from clipsearch import settings
from clipsearch.indexes.ann import Tuning, is_tuning
from clipsearch.indexes.names import list_own_files
from clipsearch.store import Store
from clipsearch.types import CatalogStatus


def read_status(store: Store) -> CatalogStatus:
    """Loads no model."""
    files, pictures, skipped = store.pictures.counts()
    current = store.reader.find_current_model()
    snapshot = None if current is None else store.reader.find_snapshot("images", model_id=current.model_id)
    return CatalogStatus(
        directory=str(store.place),
        model=None if current is None else current.name,
        models=store.models.list_all(),
        folders=tuple(scope.root for scope in store.roots.list_all()),
        files=files,
        pictures=pictures,
        skipped=skipped,
        captions=store.captions.count(),
        database_bytes=store.size_bytes,
        index_bytes=sum(
            path.stat().st_size
            for path in list_own_files(settings.index_folder(store.place.directory))
            if path.suffix == ".faiss"
        ),
        last_run=store.runs.find_last(),
        ann=_described(None if snapshot is None else snapshot.ann),
    )


def _described(ann: str | None) -> dict[str, float] | None:
    return asdict(Tuning.from_json(ann)) if ann is not None and is_tuning(ann) else None
