"""A folder of coloured squares and the catalog over it."""

import os
import threading
from pathlib import Path

from PIL import Image

from clipsearch.indexing import Progress, index_folders
from clipsearch.indexing.options import IndexOptions
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.relevance import learn_background
from clipsearch.search.hits import SearchHit
from clipsearch.search.retrieval import search_pictures
from clipsearch.session.file_index import CatalogIndex
from clipsearch.store import Store
from clipsearch.types import IndexReport
from tests.support.fakes import COLOURS, ColourEncoder

BATCH = ColourEncoder.batch_size


class Library:
    def __enter__(self) -> "Library":
        return self

    def __exit__(self, *error: object) -> None:
        self.store.close()

    def __init__(self, folder: Path) -> None:
        self.photos = folder / "photos"
        self.photos.mkdir()
        self.store = Store(folder / "catalog", create=True)
        self.encoder = ColourEncoder()
        self.model_id = self.store.models.add(
            name=self.encoder.name, fingerprint=self.encoder.fingerprint, dim=self.encoder.dim
        ).model_id

    def paint(self, name: str, colour: str | tuple[int, int, int]) -> Path:
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 12), COLOURS.get(colour, colour)).save(path)
        return path

    def index(
        self,
        folder: Path | None = None,
        *,
        on_progress: Progress | None = None,
        cancel: threading.Event | None = None,
        **options,
    ) -> IndexReport:
        self.encoder.images_seen = 0
        return index_folders(
            [self.store.roots.add(str(folder or self.photos))],
            store=self.store,
            encoder=self.encoder,
            model_id=self.model_id,
            options=IndexOptions(**options),
            on_progress=on_progress,
            cancel=cancel,
        )

    def find(self, words: str, top_k: int = 10) -> list[str]:
        return [os.path.relpath(hit.path, self.photos) for hit in self.hits(words, top_k)]

    def hits(self, words: str, top_k: int = 10) -> list[SearchHit]:
        folder = self.photos.parent / "indexes"
        index = CatalogIndex("images", store=self.store, model_id=self.model_id, folder=folder).get()
        query = self.encoder.encode_texts([words])[0]
        bank = Bank(self.encoder.encode_texts(["a cat", "a street", "snow"]), self.encoder.head.logit_scale, 0.0, 5.0)
        background = learn_background(index, bank)
        direction = background.direction([query], [1.0], are_words=[True])
        return search_pictures(
            [direction], background=background, index=index, store=self.store, model_id=self.model_id, top_k=top_k
        )


def counts(report: IndexReport) -> dict[str, int]:
    assert report.found == report.embedded + report.reused + report.unchanged + len(report.skipped)
    assert report.moved <= report.reused
    names = ("found", "embedded", "reused", "moved", "unchanged", "removed")
    return {name: getattr(report, name) for name in names if getattr(report, name)} | (
        {"skipped": len(report.skipped)} if report.skipped else {}
    )
