"""Evaluate matches and the calibration of relevance on captioned pictures."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipsearch.captions.pairs import CaptionPair
from clipsearch.evaluation.calibration import Reliability, ReliabilityBin, ScoreHistogram, calibration_error
from clipsearch.evaluation.captioned import Stage, index_pairs
from clipsearch.evaluation.metrics import Estimate, count_matches, estimate_matches
from clipsearch.quantities import count
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.types import ModelOptions, SkippedFile


@dataclass(frozen=True, slots=True)
class RelevanceQuality:
    """Quality of matches and relevances, over all queries and pictures together.

    Attributes:
        n_queries: number of distinct captions.
        cutoff: minimum relevance of a match.
        precision: share of the matches that are right; 0 without matches.
        recall: share of the right pictures that are matches.
        f1: harmonic mean of the two.
        best_score_f1: F1 of the best cosine threshold, the same for all queries, chosen in hindsight.
        calibration_error: see `calibration`, of pairs above its minimum relevance.
        reliability: bins from the least relevant to the most.
    """

    model: str
    n_images: int
    n_queries: int
    cutoff: float
    precision: Estimate
    recall: Estimate
    f1: Estimate
    best_score_f1: float
    calibration_error: float
    reliability: tuple[ReliabilityBin, ...]
    skipped: tuple[SkippedFile, ...]


def evaluate_relevance(
    pairs: Sequence[CaptionPair],
    *,
    catalog: str | os.PathLike[str] | None = None,
    model: str | None = None,
    device: str | None = None,
    runtime: str | None = None,
    precision: str | None = None,
    on_stage: Stage | None = None,
    show_progress: bool = False,
) -> RelevanceQuality:
    """Evaluate the matches and relevances of a search by each distinct caption, see `scoring.relevance`.

    A picture is right for its own captions only, though others may describe it as well.

    Args:
        catalog: as in `evaluate_pairs`, like the following arguments.

    Raises:
        InputError: none of the pictures can be read.
    """
    options = ModelOptions(model, device, runtime, show_progress, precision)
    with index_pairs(pairs, options, catalog=catalog, on_stage=on_stage) as captioned:
        captioned.tell(f"searching by {count(len(captioned.texts), 'caption')}")
        reliability, histogram = Reliability(), ScoreHistogram()
        counts = []
        for batch in captioned.score_pictures(captioned.embed_texts()):
            reliability.add(batch.relevances, batch.is_right)
            histogram.add(batch.scores, batch.is_right)
            counts.append(count_matches(batch.relevances >= DEFAULT_CUTOFF, batch.is_right))
    matches = estimate_matches(np.concatenate(counts))
    return RelevanceQuality(
        model=captioned.model,
        n_images=len(captioned.content_ids),
        n_queries=len(captioned.texts),
        cutoff=DEFAULT_CUTOFF,
        precision=matches["precision"],
        recall=matches["recall"],
        f1=matches["f1"],
        best_score_f1=histogram.best_f1(),
        calibration_error=calibration_error(reliability.bins),
        reliability=reliability.bins,
        skipped=captioned.skipped,
    )
