"""Choose labels that split the hits of a query, and labels near a query that fit pictures of the catalog.

The labels are names among the texts of the bank, whose embeddings are there for every model: nothing is encoded.
`python -m tests.benchmarks.suggestions` measures what is chosen.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.scoring.labels import LabelSpace, learn_labels
from clipsearch.scoring.relevance import DEFAULT_CUTOFF, Background
from clipsearch.vectors import normalise

# Hits below which there is nothing to split, and the share of the hits, and the least number, that a label fits.
_FEWEST_HITS = 6
_LEAST_SHARE, _MOST_SHARE, _FEWEST_FITTING = 0.1, 0.7, 2

# Overlap (Jaccard) of the hits that two labels fit, from which the second one says nothing new.
_OVERLAP = 0.5

# Cosines between texts, their common mean removed: below the first a label is not related, above the second it is
# another word for the same.
_RELATED, _SAME = 0.25, 0.8

# Share of the hits that a related label fits at most: one that fits most of them is another word for the query.
_MOST_RELATED_SHARE = 0.5

_LEAST_INFORMATION = 0.02

Rows = NDArray[np.float32]
IsNew = Callable[[str, Collection[str]], bool]
"""Whether a label has no word of the query or of the labels chosen before."""


@dataclass(frozen=True, slots=True)
class KnownLabels:
    """Labels of the bank, calibrated on the catalog's pictures.

    Attributes:
        labels: the n labels.
        space: of the labels; its `compared` has the bank's texts behind them.
        rows: (n,) of the labels in the bank.
        is_present: (n,) labels that fit a picture of the background's sample.
        shared: (dim,) mean of the texts.
    """

    labels: tuple[str, ...]
    space: LabelSpace
    rows: NDArray[np.int64]
    is_present: NDArray[np.bool_]
    shared: Rows

    def relevances(self, pictures: Rows) -> NDArray[np.float64]:
        """Return the relevances (p, n) of the labels for pictures (p, dim) unit-norm, as `LabelSpace` does.

        The labels are among the texts of the bank, which are compared with the pictures anyway.
        """
        return self.space.relevances_of_bank(pictures, self.rows)

    def nearness(self, text: Rows) -> Rows:
        """Return the cosines (n,) of the labels with a text (dim,) unit-norm, the common mean of texts removed."""
        (row,) = normalise((text - np.linalg.norm(self.shared) * self.shared)[np.newaxis])
        return np.asarray(self.space.compared[: len(self.labels)] @ row)


def learn_known_labels(rows: Mapping[str, int], background: Background) -> KnownLabels:
    """Calibrate labels, by their rows in the bank, on the background's sample of pictures."""
    bank, labels = background.bank, tuple(rows)
    places = np.array(list(rows.values()), dtype=np.int64)
    space = learn_labels(labels, bank.embeddings[places], bank=bank, pictures=background.sample)
    is_present = np.zeros(len(labels), dtype=np.bool_)
    if len(background.sample):
        is_present |= (space.relevances(background.sample) >= DEFAULT_CUTOFF).any(axis=0)
    shared = np.concatenate((bank.embeddings[places], bank.embeddings)).mean(axis=0)
    return KnownLabels(labels, space, places, is_present, shared)


def choose_narrowing(
    relevances: NDArray[np.float64], labels: Sequence[str], *, most: int, is_new: IsNew
) -> list[tuple[int, int]]:
    """Choose labels that split hits best, the most informative first: their columns, and how many hits each fits.

    The information is the mutual information of which hit it is and whether the label fits it: high for a label that
    surely fits some hits and surely not the others.

    Args:
        relevances: (h, n) of the labels for the hits.
    """
    hits = len(relevances)
    if hits < _FEWEST_HITS:
        return []
    fits = relevances >= DEFAULT_CUTOFF
    counts = fits.sum(axis=0)
    is_split = (counts >= max(_FEWEST_FITTING, _LEAST_SHARE * hits)) & (counts <= _MOST_SHARE * hits)
    columns = np.flatnonzero(is_split)
    information = _entropy(relevances[:, columns].mean(axis=0)) - _entropy(relevances[:, columns]).mean(axis=0)
    chosen: list[int] = []
    for place in np.argsort(-information, kind="stable").tolist():
        column = int(columns[place])
        if information[place] < _LEAST_INFORMATION or len(chosen) == most:
            break
        if is_new(labels[column], [labels[each] for each in chosen]) and not any(
            _overlap(fits[:, column], fits[:, each]) > _OVERLAP for each in chosen
        ):
            chosen.append(column)
    return [(column, int(counts[column])) for column in chosen]


def choose_related(
    known: KnownLabels, nearness: Rows, relevances: NDArray[np.float64], *, most: int, is_new: IsNew
) -> list[int]:
    """Choose labels near a query that fit pictures of the catalog and are not another word for it: their columns.

    Args:
        nearness: (n,) of the labels to the query, see `KnownLabels.nearness`.
        relevances: (h, n) of the labels for the query's hits; h may be 0.
    """
    labels = known.labels
    is_candidate = known.is_present & (nearness > _RELATED) & (nearness < _SAME)
    if len(relevances):
        is_candidate &= (relevances >= DEFAULT_CUTOFF).mean(axis=0) <= _MOST_RELATED_SHARE
    columns = np.flatnonzero(is_candidate)
    chosen: list[int] = []
    for column in columns[np.argsort(-nearness[columns], kind="stable")].tolist():
        if len(chosen) == most:
            break
        alike = known.space.compared[chosen] @ known.space.compared[column]
        if is_new(labels[column], [labels[each] for each in chosen]) and not (alike > _SAME).any():
            chosen.append(column)
    return chosen


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(shares, 1e-9, 1 - 1e-9)
    return np.asarray(-inside * np.log2(inside) - (1 - inside) * np.log2(1 - inside))


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))
