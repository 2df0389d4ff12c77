"""Evaluate retrieval of pictures by their captions and of captions by their pictures."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.captions.pairs import CaptionPair
from clipsearch.errors import ClipSearchError
from clipsearch.evaluation.captioned import CaptionedPictures, Stage, index_pairs
from clipsearch.evaluation.metrics import (
    METRICS,
    Difference,
    Estimate,
    compare_values,
    estimate_metrics,
    rank_columns,
    right_ranks,
    score_queries,
)
from clipsearch.quantities import count
from clipsearch.types import ModelOptions, SkippedFile

COMPARED = ("recall@1", "mrr")
"""Metrics that `compare_models` compares."""


@dataclass(frozen=True, slots=True)
class RetrievalQuality:
    """Retrieval metrics of a model, caption → picture and picture → caption.

    Attributes:
        model: model name.
        n_images: number of distinct readable pictures.
        n_captions: number of their pairs of picture and caption, each of them a query.
        text_to_image: by the names in `evaluation.METRICS`, like `image_to_text`.
        skipped: missing or unreadable pictures, omitted with their captions.
    """

    model: str
    n_images: int
    n_captions: int
    text_to_image: Mapping[str, Estimate]
    image_to_text: Mapping[str, Estimate]
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True, slots=True)
class QualityComparison:
    """Comparison of two models on the same queries.

    Attributes:
        text_to_image: b minus a, by the names in `COMPARED`, like `image_to_text`.
    """

    a: RetrievalQuality
    b: RetrievalQuality
    text_to_image: Mapping[str, Difference]
    image_to_text: Mapping[str, Difference]


def evaluate_pairs(
    pairs: Sequence[CaptionPair],
    *,
    catalog: str | os.PathLike[str] | None = None,
    model: str | None = None,
    device: str | None = None,
    runtime: str | None = None,
    precision: str | None = None,
    on_stage: Stage | None = None,
    show_progress: bool = False,
) -> RetrievalQuality:
    """Evaluate retrieval in both directions from complete rankings.

    Every pair is a query with one right picture: another picture with an identical caption counts as wrong, so that at
    most one of n such pictures is ranked first. From a picture, any of its captions is right, and each text is one
    candidate. Files of the same content are one picture. Equal scores rank as in the search: pictures by path, captions
    in pair order.

    Args:
        catalog: default of the model; read-only, may be missing.
        model: as in `ModelOptions`, or its name with a suffix, see `settings.with_suffix`; like `device`, `runtime` and
            `precision`.

    Raises:
        InputError: none of the pictures can be read.
        ModelUnavailableError: the model's files are not cached and can't be downloaded.
    """
    options = ModelOptions(model, device, runtime, show_progress, precision)
    with index_pairs(pairs, options, catalog=catalog, on_stage=on_stage) as captioned:
        return _quality(_rank_pairs(captioned))


def compare_models(
    pairs: Sequence[CaptionPair],
    a: str,
    b: str,
    *,
    device: str | None = None,
    runtime: str | None = None,
    precision: str | None = None,
    on_stage: Stage | None = None,
    show_progress: bool = False,
) -> QualityComparison:
    """Evaluate two models as in `evaluate_pairs`, and test their differences on the same queries.

    Raises:
        InputError: as in `evaluate_pairs`.
        ClipSearchError: the models read different pictures.
    """
    found = []
    for name in (a, b):
        options = ModelOptions(name, device, runtime, show_progress, precision)
        with index_pairs(pairs, options, on_stage=on_stage) as captioned:
            found.append(_rank_pairs(captioned))
    first, second = found
    if first.skipped != second.skipped:
        raise ClipSearchError("the two models read different pictures, so they can't be compared: try again")
    return QualityComparison(
        _quality(first),
        _quality(second),
        _differences(first.image_ranks, second.image_ranks),
        _differences(first.caption_ranks, second.caption_ranks),
    )


@dataclass(frozen=True, slots=True)
class _Answers:
    """Ranks of the picture of each pair (1,), and of the captions of each picture, see `right_ranks`."""

    model: str
    image_ranks: list[NDArray[np.int64]]
    caption_ranks: list[NDArray[np.int64]]
    skipped: tuple[SkippedFile, ...]


def _quality(answers: _Answers) -> RetrievalQuality:
    return RetrievalQuality(
        model=answers.model,
        n_images=len(answers.caption_ranks),
        n_captions=len(answers.image_ranks),
        text_to_image=estimate_metrics(score_queries(answers.image_ranks)),
        image_to_text=estimate_metrics(score_queries(answers.caption_ranks)),
        skipped=answers.skipped,
    )


def _differences(first: Sequence[NDArray[np.int64]], second: Sequence[NDArray[np.int64]]) -> dict[str, Difference]:
    values = score_queries(first), score_queries(second)
    columns = {name: METRICS.index(name) for name in COMPARED}
    return {name: compare_values(*(rows[:, column] for rows in values)) for name, column in columns.items()}


def _rank_pairs(captioned: CaptionedPictures) -> _Answers:
    n_images, n_captions = len(captioned.content_ids), len(captioned.pair_texts)
    captioned.tell(f"embedding {count(len(captioned.texts), 'caption')}")
    embeddings = captioned.embed_texts()
    captioned.tell(f"searching by {count(n_captions, 'caption')}")
    # One row for each pair, though several pairs may have the same text.
    image_ranks = np.empty((n_captions, 1), dtype=np.int64)
    for batch in captioned.score_pictures(embeddings):
        in_batch = np.isin(captioned.pair_texts, batch.rows)
        rows = captioned.pair_texts[in_batch] - batch.rows[0]
        image_ranks[in_batch, 0] = rank_columns(batch.worths)[rows, captioned.pair_pictures[in_batch]]
    captioned.tell(f"ranking the captions of {count(n_images, 'picture')}")
    caption_ranks: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)] * n_images
    for found in captioned.score_captions(embeddings):
        for picture, ranks in zip(found.rows.tolist(), right_ranks(found.values, found.is_right), strict=True):
            caption_ranks[picture] = ranks
    return _Answers(captioned.model, list(image_ranks), caption_ranks, captioned.skipped)
