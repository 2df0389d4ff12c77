"""Cluster pictures by what they show, and name the clusters by labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import QueryError
from clipsearch.gallery.folders import files_below
from clipsearch.indexes.flat import cluster_rows
from clipsearch.labels.assign import label_space
from clipsearch.scoring.labels import LabelSpace
from clipsearch.scoring.narrowing import KnownLabels
from clipsearch.session.session import Session
from clipsearch.vectors import normalise

_NAMES = 3

# Pictures of a cluster that are compared with the labels, sampled evenly from the most to the least typical.
_SAMPLE_ROWS = 64

# Lower bound of a relevance: keeps logarithms finite.
_MIN_SHARE = 1e-6

# Decimals of a divergence; smaller differences are rounding errors.
_DECIMALS = 9

# By default about as many groups as pictures in each, up to this number.
_MAX_GROUPS = 50


@dataclass(frozen=True, slots=True)
class PictureCluster:
    """Cluster of pictures that show similar things.

    Attributes:
        names: labels more frequent in the cluster than among all pictures, best first.
        paths: absolute, the most typical first; one for each content.
        content_ids: content ids in the order of `paths`.
    """

    names: tuple[str, ...]
    paths: tuple[str, ...]
    content_ids: tuple[int, ...]


def cluster_pictures(
    folders: Sequence[str], session: Session, *, count: int | None, labels: str | Sequence[str]
) -> list[PictureCluster]:
    """Cluster indexed pictures by k-means on their embeddings, and name the clusters by distinctive labels."""
    if count is not None and count < 1:
        raise QueryError(f"the number of groups must be at least 1, got {count}")
    session.require_pictures()
    space = label_space(labels, session)
    paths: dict[int, str] = {}
    for file in files_below(folders, session):
        paths.setdefault(file.content_id, file.path)
    row = session.model.row
    known = session.store.reader.embeddings(list(paths), model_id=row.model_id, dim=row.dim)
    if not known:
        return []
    ids, rows = list(known), np.stack(list(known.values()))
    n_clusters = count or min(_MAX_GROUPS, max(1, round(math.sqrt(len(ids) / 2))))
    # Subtract the mean, which does not distinguish clusters; not all of it, so that identical rows don't become zero.
    centred = normalise(rows - 0.999 * rows.mean(axis=0))
    centroids, groups = cluster_rows(centred, min(n_clusters, len(ids)))
    typical = np.einsum("nd,nd->n", centred, centroids[groups])
    clusters = [np.flatnonzero(groups == group) for group in range(len(centroids))]
    clusters = [members[np.argsort(-typical[members], kind="stable")] for members in clusters if len(members)]
    found = []
    for members, names in zip(clusters, name_clusters(space, rows, clusters), strict=True):
        numbers = [ids[member] for member in members.tolist()]
        found.append(PictureCluster(names, tuple(paths[number] for number in numbers), tuple(numbers)))
    return sorted(found, key=lambda cluster: (-len(cluster.paths), cluster.paths[0]))


def name_clusters(
    space: LabelSpace | KnownLabels, rows: NDArray[np.float32], clusters: Sequence[NDArray[np.intp]]
) -> list[tuple[str, ...]]:
    """Return the most informative labels of each cluster, best first.

    A label fits a picture with its relevance as the probability; its information is the Kullback-Leibler divergence of
    how often it fits in the cluster from how often it fits in all clusters. Differences of mean scores favour labels
    that fit nothing well: `python -m tests.benchmarks.clusters` measures both.

    Args:
        rows: (n, dim) unit-norm.
        clusters: row numbers of each cluster, at least one, the most typical first.
    """
    fitting = np.stack([_fitting(space, rows[members]) for members in clusters])
    sizes = np.array([len(members) for members in clusters], dtype=np.float64)
    everywhere = sizes @ fitting / sizes.sum()
    divergences = fitting * np.log(fitting / everywhere) + (1 - fitting) * np.log((1 - fitting) / (1 - everywhere))
    divergences = np.copysign(divergences, fitting - everywhere).round(_DECIMALS)
    # For a single cluster of all pictures the divergences are 0: the labels of highest relevance name it.
    best = np.lexsort((-fitting, -divergences), axis=1)[:, :_NAMES]
    return [tuple(space.labels[column] for column in columns) for columns in best.tolist()]


def _fitting(space: LabelSpace | KnownLabels, members: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the share (labels,) of cluster members (n, dim) that each label fits, from a sample."""
    sample = members[np.linspace(0, len(members) - 1, min(len(members), _SAMPLE_ROWS)).round().astype(int)]
    return np.asarray(np.clip(space.relevances(sample).mean(axis=0), _MIN_SHARE, 1 - _MIN_SHARE))
