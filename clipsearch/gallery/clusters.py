"""Pictures in groups of what they show, and what to call the groups."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import QueryError
from clipsearch.indexes.flat import cluster_rows
from clipsearch.labels.assign import label_space
from clipsearch.scoring.labels import LabelSpace
from clipsearch.session.session import Session
from clipsearch.vectors import normalise

_NAMES = 3

# Pictures of a group that tell what fits it, from the most to the least typical.
_ASKED = 64

# Of a relevance: keeps logarithms finite.
_LEAST = 1e-6

# Of a divergence: what is smaller is a rounding error.
_DECIMALS = 9

# By default so many groups as make them about as large as there are many, but not more than one can look through.
_MOST_GROUPS = 50


@dataclass(frozen=True, slots=True)
class PictureCluster:
    """Pictures that show alike things.

    Attributes:
        names: labels that fit them and not as many of all pictures, the best first.
        paths: absolute, the most typical first; one for each content.
        content_ids: their numbers in the catalog, in the same order.
    """

    names: tuple[str, ...]
    paths: tuple[str, ...]
    content_ids: tuple[int, ...]


def cluster_pictures(
    folders: Sequence[str], session: Session, *, count: int | None, labels: str | Sequence[str]
) -> list[PictureCluster]:
    """Group pictures by k-means on their embeddings, and name the groups by labels that set them apart."""
    if count is not None and count < 1:
        raise QueryError(f"there is at least 1 group, not {count}")
    session.require_pictures()
    space = label_space(labels, session)
    paths: dict[int, str] = {}
    for file in session.store.reader.files_below(folders):
        paths.setdefault(file.content_id, file.path)
    row = session.model.row
    known = session.store.reader.embeddings(list(paths), model_id=row.model_id, dim=row.dim)
    if not known:
        return []
    ids, rows = list(known), np.stack(list(known.values()))
    wanted = count or min(_MOST_GROUPS, max(1, round(math.sqrt(len(ids) / 2))))
    # What all pictures share is taken out, as it tells no group from another; not quite, so that copies alone leave
    # something.
    apart = normalise(rows - 0.999 * rows.mean(axis=0))
    centroids, groups = cluster_rows(apart, min(wanted, len(ids)))
    typical = np.einsum("nd,nd->n", apart, centroids[groups])
    clusters = [np.flatnonzero(groups == group) for group in range(len(centroids))]
    clusters = [members[np.argsort(-typical[members], kind="stable")] for members in clusters if len(members)]
    found = []
    for members, names in zip(clusters, name_clusters(space, rows, clusters), strict=True):
        numbers = [ids[member] for member in members.tolist()]
        found.append(PictureCluster(names, tuple(paths[number] for number in numbers), tuple(numbers)))
    return sorted(found, key=lambda cluster: (-len(cluster.paths), cluster.paths[0]))


def name_clusters(
    space: LabelSpace, rows: NDArray[np.float32], clusters: Sequence[NDArray[np.intp]]
) -> list[tuple[str, ...]]:
    """The labels that tell most of each cluster.

    A label fits a picture or not, with its relevance as the chance; how much it tells is the Kullback-Leibler
    divergence of how often it fits in the cluster from how often it fits in all of them. Differences of mean scores
    favour labels that fit nothing well: `python -m tests.benchmarks.clusters` measures both.

    Args:
        rows: (n, dim) unit-norm.
        clusters: rows of each, at least one, the most typical first.
    """
    fitting = np.stack([_fitting(space, rows[members]) for members in clusters])
    sizes = np.array([len(members) for members in clusters], dtype=np.float64)
    everywhere = sizes @ fitting / sizes.sum()
    told = fitting * np.log(fitting / everywhere) + (1 - fitting) * np.log((1 - fitting) / (1 - everywhere))
    told = np.copysign(told, fitting - everywhere).round(_DECIMALS)
    # A cluster of all pictures differs from them in nothing: what fits them best is its name.
    best = np.lexsort((-fitting, -told), axis=1)[:, :_NAMES]
    return [tuple(space.labels[column] for column in columns) for columns in best.tolist()]


def _fitting(space: LabelSpace, members: NDArray[np.float32]) -> NDArray[np.float64]:
    """members (n, dim) → (labels,): the share of them that each label fits."""
    some = members[np.linspace(0, len(members) - 1, min(len(members), _ASKED)).round().astype(int)]
    return np.asarray(np.clip(space.relevances(some).mean(axis=0), _LEAST, 1 - _LEAST))
