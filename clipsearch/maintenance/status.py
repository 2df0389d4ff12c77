"""Counts and sizes of a catalog."""

from dataclasses import asdict

from clipsearch import settings
from clipsearch.indexes.ann import Tuning
from clipsearch.store import Store
from clipsearch.types import CatalogStatus


def read_status(store: Store) -> CatalogStatus:
    """Loads no model."""
    files, pictures, skipped = store.pictures.counts()
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
        index_bytes=sum(path.stat().st_size for path in settings.index_folder(store.place.directory).glob("*.faiss")),
        last_run=store.runs.find_last(),
        ann=None if snapshot is None or snapshot.ann is None else asdict(Tuning.from_json(snapshot.ann)),
        exclude={scope.root: scope.exclude for scope in roots if scope.exclude},
    )
