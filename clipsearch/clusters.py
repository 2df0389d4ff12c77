"""Pictures in groups of what they show, and what to call the groups."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.catalog_parts import CatalogParts
from clipsearch.errors import QueryError
from clipsearch.indexes.faiss_index import cluster_rows
from clipsearch.naming import label_space
from clipsearch.vectors import normalise

_NAMES = 3

# By default so many groups as make them about as large as there are many, but not more than one can look through.
_MOST_GROUPS = 50


@dataclass(frozen=True, slots=True)
class PictureCluster:
    """Pictures that show alike things.

    Attributes:
        names: labels by which they differ most from all pictures, the best first.
        paths: absolute, the most typical first; one for each content.
        content_ids: their numbers in the catalog, in the same order.
    """

    names: tuple[str, ...]
    paths: tuple[str, ...]
    content_ids: tuple[int, ...]


def cluster_pictures(
    folders: Sequence[str], parts: CatalogParts, *, count: int | None, labels: str | Sequence[str]
) -> list[PictureCluster]:
    """Arguments, result and errors as in `Catalog.clusters`."""
    if count is not None and count < 1:
        raise QueryError(f"there is at least 1 group, not {count}")
    parts.require_pictures()
    space = label_space(labels, parts)
    paths: dict[int, str] = {}
    for file in parts.store.reader.files_below(folders):
        paths.setdefault(file.content_id, file.path)
    row = parts.model.row
    known = parts.store.reader.embeddings(list(paths), model_id=row.model_id, dim=row.dim)
    if not known:
        return []
    ids, rows = list(known), np.stack(list(known.values()))
    wanted = count or min(_MOST_GROUPS, max(1, round(math.sqrt(len(ids) / 2))))
    # What all pictures share is taken out, as it tells no group from another; not quite, so that copies alone leave
    # something.
    apart = normalise(rows - 0.999 * rows.mean(axis=0))
    centroids, groups = cluster_rows(apart, min(wanted, len(ids)))
    typical = np.einsum("nd,nd->n", apart, centroids[groups])
    everywhere = space.scores(rows.mean(axis=0, keepdims=True))[0]
    found = []
    for group in range(len(centroids)):
        members = np.flatnonzero(groups == group)
        if len(members) == 0:
            continue
        members = members[np.argsort(-typical[members], kind="stable")]
        names = _names(space.labels, space.scores(rows[members].mean(axis=0, keepdims=True))[0] - everywhere)
        numbers = [ids[member] for member in members.tolist()]
        found.append(PictureCluster(names, tuple(paths[number] for number in numbers), tuple(numbers)))
    return sorted(found, key=lambda cluster: (-len(cluster.paths), cluster.paths[0]))


def _names(labels: Sequence[str], above: NDArray[np.float32]) -> tuple[str, ...]:
    """Labels by how much higher they score here than everywhere."""
    return tuple(labels[column] for column in np.argsort(-above, kind="stable")[:_NAMES].tolist())
