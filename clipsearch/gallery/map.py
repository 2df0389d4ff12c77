"""Make the map of meaning of a catalog: lay its pictures out, and name the regions."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import CatalogNotFoundError
from clipsearch.gallery.clusters import name_clusters
from clipsearch.indexes.flat import spaced
from clipsearch.indexes.neighbours import find_neighbours
from clipsearch.scoring.layout import lay_out
from clipsearch.scoring.regions import divide
from clipsearch.session.map_file import MapRegion, PictureMap
from clipsearch.session.maps import is_outgrown
from clipsearch.session.session import Session

# Pictures that are laid out, which takes their embeddings in memory; others are placed next to those like them.
_MOST_ROWS = 200_000

# Regions of each level at most, and pictures that each of them has on the average at least.
_REGIONS, _FEWEST = (12, 60, 300), 20

# Part of the side that pictures are laid out on, and share of them on each side that may lie further out.
_USED, _OUTLYING = 0.96, 0.001

# Pictures that two maps have in common so that the new one is turned like the old one.
_FEWEST_COMMON = 3


def get_map(
    session: Session, *, remake: bool = False, on_progress: Callable[[int, int], None] | None = None
) -> PictureMap:
    """Return the map; it is made when there is none, or when more than a tenth of the pictures came after it was made.

    Raises:
        CatalogNotFoundError: no picture has an embedding of the model.
    """
    session.require_pictures()
    known = session.map.find()
    if known is not None and not remake and not is_outgrown(known):
        return known
    state = session.map.state()
    return session.map.put(_make(session, known, on_progress or (lambda *_: None)), state)


def _make(session: Session, before: PictureMap | None, on_progress: Callable[[int, int], None]) -> PictureMap:
    every = session.columns.ask(lambda columns: columns.select_ids(()))
    ids, rows = session.map.embeddings(every[spaced(len(every), _MOST_ROWS)])
    if not len(ids):
        raise CatalogNotFoundError(f"there is no picture in {session.store.place} to lay out: clipsearch index FOLDER")
    on_progress(0, 1)
    positions = lay_out(rows, find_neighbours, on_progress=on_progress)
    on_progress(1, 1)
    if before is not None:
        positions = _turn_like(positions, ids, before)
    positions = _fit(positions)
    regions, region_of = _name_regions(positions, rows, session)
    on_progress(1, 1)
    made = PictureMap(ids, positions, region_of, regions, len(ids)).measured()
    if len(every) > _MOST_ROWS:
        grown = session.map.place(made, np.setdiff1d(every, ids), on_chunk=lambda: on_progress(1, 1))
        made = PictureMap(grown.content_ids, grown.positions, grown.region_of, grown.regions, len(grown.content_ids))
    return made


def _turn_like(positions: NDArray[np.float32], ids: NDArray[np.int64], before: PictureMap) -> NDArray[np.float32]:
    """Rotate and mirror positions (n, 2) so that pictures lie where they did on an earlier map as nearly as can be.

    Source: P. Schönemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika 31, 1966.
    """
    _, own, earlier = np.intersect1d(ids, before.content_ids, return_indices=True)
    if len(own) < _FEWEST_COMMON:
        return positions
    here, there = (each - each.mean(axis=0) for each in (positions[own], before.positions[earlier]))
    left, _, right = np.linalg.svd(here.T.astype(np.float64) @ there)
    turned: NDArray[np.float32] = positions @ (left @ right).astype(np.float32)
    return turned


def _fit(positions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move and scale positions (n, 2) into 0 to 1; outliers come to the edge."""
    low, high = np.quantile(positions, (_OUTLYING, 1 - _OUTLYING), axis=0)
    side = float((high - low).max())
    if side <= 0:
        return np.full_like(positions, 0.5)
    fitted = 0.5 + _USED * (positions - (low + high) / 2) / side
    return np.asarray(np.clip(fitted, 0, 1), dtype=np.float32)


def _name_regions(
    positions: NDArray[np.float32], rows: NDArray[np.float32], session: Session
) -> tuple[tuple[MapRegion, ...], NDArray[np.int64]]:
    """Return the regions, those of the largest level first, and the smallest region (n,) of each picture."""
    counts = sorted({max(1, min(most, len(rows) // _FEWEST)) for most in _REGIONS})
    smallest, parents = divide(positions, counts)
    found: list[MapRegion] = []
    # Of each level: the region of it that a picture lies in.
    of_level = [smallest]
    for each in reversed(parents):
        of_level.insert(0, each[of_level[0]])
    first = 0
    for level, own in enumerate(of_level):
        names = _names(rows, own, counts[level], session)
        above = None if level == 0 else parents[level - 1]
        before, first = first, len(found)
        found += [
            MapRegion(level, name, None if above is None else before + int(above[number]))
            for number, name in enumerate(names)
        ]
    return tuple(found), smallest + first


def _names(rows: NDArray[np.float32], regions: NDArray[np.int64], count: int, session: Session) -> Sequence[str]:
    """Return a name for each region, no two alike; "" for one without pictures. Larger regions choose first."""
    members = [np.flatnonzero(regions == number) for number in range(count)]
    present = [number for number in range(count) if len(members[number])]
    named = name_clusters(session.known_labels(), rows, [members[number] for number in present])
    candidates = dict(zip(present, named, strict=True))
    names, taken = [""] * count, set[str]()
    for number in sorted(present, key=lambda each: -len(members[each])):
        free = [name for name in candidates[number] if name not in taken]
        name = free[0] if free else ", ".join(candidates[number])
        while name in taken:
            name += " ·"
        names[number] = name
        taken.add(name)
    return names
