"""How far what is said of matches holds: relevance as it is shown, on pictures whose captions are known."""

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
    """How good matches are, over all queries and pictures together.

    Attributes:
        n_queries: different captions.
        cutoff: the relevance from which a picture is a match.
        precision: of the matches, those that are right; 0 where there is none.
        recall: of what is right, the matches.
        f1: the harmonic mean of the two.
        best_score_f1: that of the best threshold of the cosine, the same for all queries, known afterwards.
        calibration_error: see `calibration`; of what claims anything.
        reliability: from the least relevant to the most.
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
    on_stage: Stage | None = None,
    show_progress: bool = False,
) -> RelevanceQuality:
    """Ask for the pictures by each of the different captions: which are matches, and how surely, see `relevance`.

    A picture is right for all of its own captions and no others, though others may describe it as well.

    Args:
        catalog: as in `evaluate_pairs`, like all that follow.

    Raises:
        InputError: none of the pictures can be read.
    """
    options = ModelOptions(model, device, runtime, show_progress)
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
