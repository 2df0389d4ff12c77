"""Keep the map of meaning in step with the store: leave out what is gone, and place what is new."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import QueryError, VectorIndexError
from clipsearch.notices import notify
from clipsearch.query.areas import Rectangle
from clipsearch.session.map_file import PictureMap, load_map, map_path, save_map
from clipsearch.store import Store

if TYPE_CHECKING:
    from clipsearch.session.columns import CatalogColumns
    from clipsearch.session.model import CatalogModel

# Pictures of the map that new ones are compared with, evenly spaced, and how many of them a new one is placed between.
_SAMPLE_ROWS, _NEIGHBOURS = 20_000, 5

# Rows in memory at once.
_CHUNK = 1_024

# A map is outgrown when so many of its pictures, and this share of those when it was made, came later.
_FEW, _MOST_PLACED = 10, 0.1


class CatalogMap:
    """Map of an open catalog's pictures by its model. Thread-safe; current while others write."""

    def __init__(self, store: Store, folder: Path, *, model: "CatalogModel", columns: "CatalogColumns") -> None:
        """Take the parts of the session.

        Args:
            folder: of the index files.
        """
        self._store, self._folder, self._model, self._columns = store, folder, model, columns
        self._lock = threading.Lock()
        self._whole: tuple[object, PictureMap] | None = None
        self._found: tuple[tuple[object, object], PictureMap] | None = None

    @property
    def path(self) -> Path:
        """File of the map, existing or not."""
        return map_path(self._folder, self._store.uuid, self._model.row.fingerprint)

    def find(self) -> PictureMap | None:
        """Return the map with the pictures that are there by now; None: it was never made, or is of no use."""
        with self._lock:
            state = self.state(), self._file_state()
            if self._found is None or self._found[0] != state:
                found = self._follow()
                if found is None:
                    return None
                # What is indexed from now on is looked at the next time.
                self._found = (state[0], self._file_state()), found
            return self._found[1]

    def put(self, made: PictureMap, state: object) -> PictureMap:
        """Put a new map into use; one that can't be written is used by this process alone.

        Args:
            state: result of `state` before its pictures were read.
        """
        with self._lock:
            try:
                save_map(made, self.path)
            except VectorIndexError as error:
                notify(str(error))
            self._whole = self._file_state(), made
            self._found = (state, self._whole[0]), made
            return made

    def state(self) -> object:
        """Return a value that changes with the pictures of the catalog."""
        return self._store.column_rows.state()

    def find_inside(self, box: Rectangle) -> NDArray[np.int64]:
        """Return the content ids (n,), sorted, of the pictures in a rectangle of the map.

        Raises:
            QueryError: there is no map yet.
        """
        found = self.find()
        if found is None:
            raise QueryError("map: there is no map of the pictures yet: make it with 'clipsearch map'")
        return found.inside(box)

    def _file_state(self) -> object:
        path = self.path
        try:
            status = path.lstat()
        except OSError:
            return path
        return path, status.st_ino, status.st_size, status.st_mtime_ns

    def _load(self) -> PictureMap | None:
        """Return the map of the file, or the one that could not be written to it; with pictures that are gone."""
        state = self._file_state()
        if self._whole is not None and self._whole[0] == state:
            return self._whole[1]
        try:
            found = load_map(self.path)
        except VectorIndexError as error:
            if os.path.lexists(self.path):
                notify(f"{error}: make it again with 'clipsearch map'")
            return None
        self._whole = None if found is None else (state, found)
        return found

    def _follow(self) -> PictureMap | None:
        known = self._load()
        if known is None:
            return None
        ids = self._columns.ask(lambda columns: columns.select_ids(()))
        current = known.among(ids)
        if not len(current.content_ids):  # other pictures than those it was made of
            return None
        new = np.setdiff1d(ids, known.content_ids)
        if not len(new):
            return current
        grown = self.place(current, new)
        if grown is not current:
            with suppress(VectorIndexError):
                save_map(grown, self.path)
            self._whole = self._file_state(), grown
        return grown

    def place(
        self, known: PictureMap, new: NDArray[np.int64], *, on_chunk: Callable[[], None] = lambda: None
    ) -> PictureMap:
        """Return a map with more pictures, each at the median of those on it that are most like it.

        Args:
            new: (n,) content ids; those that the model has not embedded are left out.
            on_chunk: called now and then; what it raises ends the work.
        """
        count = len(known.content_ids)
        sampled = np.arange(min(count, _SAMPLE_ROWS)) * count // min(count, _SAMPLE_ROWS)
        ids, rows = self.embeddings(known.content_ids[sampled])
        sampled = sampled[np.isin(known.content_ids[sampled], ids)]
        if not len(ids):
            return known
        neighbours = min(_NEIGHBOURS, len(ids))
        placed, positions, regions = [known.content_ids], [known.positions], [known.region_of]
        for first in range(0, len(new), _CHUNK):
            on_chunk()
            some, embeddings = self.embeddings(new[first : first + _CHUNK])
            if not len(some):
                continue
            scores = embeddings @ rows.T
            best = sampled[np.argpartition(-scores, neighbours - 1, axis=1)[:, :neighbours]]
            placed.append(some)
            positions.append(np.median(known.positions[best], axis=1).astype(np.float32))
            regions.append(known.region_of[sampled[scores.argmax(axis=1)]])
        added = sum(map(len, placed[1:]))
        if not added:
            return known
        grown = replace(
            known,
            content_ids=np.concatenate(placed),
            positions=np.concatenate(positions),
            region_of=np.concatenate(regions),
            placed=known.placed + added,
        )
        return grown.measured()

    def embeddings(self, content_ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the ids (n,), in their order, of the pictures that the model has embedded, and the rows (n, dim)."""
        row = self._model.row
        known = self._store.reader.embeddings(content_ids.tolist(), model_id=row.model_id, dim=row.dim)
        present = [number for number in content_ids.tolist() if number in known]
        if not present:
            return np.empty(0, dtype=np.int64), np.empty((0, row.dim), dtype=np.float32)
        return np.array(present, dtype=np.int64), np.stack([known[number] for number in present])


def is_outgrown(made: PictureMap) -> bool:
    """Return whether so many pictures came after a map was made that it should be made again."""
    return made.placed > max(_FEW, _MOST_PLACED * made.laid_out)
