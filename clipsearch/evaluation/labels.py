"""Evaluate zero-shot labels on labelled pictures."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.captions.pairs import CaptionPair
from clipsearch.evaluation.captioned import CaptionedPictures, Stage, index_pairs
from clipsearch.evaluation.metrics import (
    Estimate,
    count_matches,
    estimate_matches,
    estimate_metrics,
    right_ranks,
    score_queries,
)
from clipsearch.quantities import count
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.types import ModelOptions, SkippedFile


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """Top-1 and top-5 accuracy of labels, and precision and recall of the labels shown.

    Attributes:
        n_labels: number of distinct labels, the candidates.
        cutoff: minimum relevance of a label shown.
        precision: share of the labels shown that are a picture's own; 0 when none is shown.
        recall: share of the pictures' own labels that are shown.
        f1: harmonic mean of the two.
    """

    model: str
    n_images: int
    n_labels: int
    top_1: Estimate
    top_5: Estimate
    cutoff: float
    precision: Estimate
    recall: Estimate
    f1: Estimate
    skipped: tuple[SkippedFile, ...]


def evaluate_labels(
    pairs: Sequence[CaptionPair],
    *,
    catalog: str | os.PathLike[str] | None = None,
    model: str | None = None,
    device: str | None = None,
    runtime: str | None = None,
    precision: str | None = None,
    on_stage: Stage | None = None,
    show_progress: bool = False,
) -> LabelQuality:
    """Evaluate zero-shot classification: captions are labels, and each picture's own is searched among all of them.

    As in `LabelCollection.assign_all`: short labels are put into prompt templates.

    Args:
        catalog: as in `evaluate_pairs`, like the following arguments.

    Raises:
        InputError: none of the pictures can be read.
    """
    options = ModelOptions(model, device, runtime, show_progress, precision)
    with index_pairs(pairs, options, catalog=catalog, on_stage=on_stage) as captioned:
        captioned.tell(f"naming {count(len(captioned.content_ids), 'picture')}")
        ranks, counts = _rank_labels(captioned)
    found, matches = estimate_metrics(score_queries(ranks)), estimate_matches(counts)
    return LabelQuality(
        model=captioned.model,
        n_images=len(captioned.content_ids),
        n_labels=len(captioned.texts),
        top_1=found["recall@1"],
        top_5=found["recall@5"],
        cutoff=DEFAULT_CUTOFF,
        precision=matches["precision"],
        recall=matches["recall"],
        f1=matches["f1"],
        skipped=captioned.skipped,
    )


def _rank_labels(captioned: CaptionedPictures) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """Return for each picture the ranks of its labels, and its counts from `count_matches`."""
    ranks: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)] * len(captioned.content_ids)
    counts = np.empty((len(ranks), 3), dtype=np.int64)
    for batch in captioned.label_relevances():
        for picture, found in zip(batch.rows.tolist(), right_ranks(batch.values, batch.is_right), strict=True):
            ranks[picture] = found
        counts[batch.rows] = count_matches(batch.values >= DEFAULT_CUTOFF, batch.is_right)
    return ranks, counts
