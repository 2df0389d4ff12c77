"""How well pictures are found by their captions, and captions by their pictures."""

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
"""The metrics that two models are compared by."""


@dataclass(frozen=True, slots=True)
class RetrievalQuality:
    """How well a model finds pictures by their captions, and captions by their pictures.

    Attributes:
        model: its name.
        n_images: different pictures that could be read.
        n_captions: their pairs of picture and caption, each of them a query.
        text_to_image: by the names in `evaluation.METRICS`; so is `image_to_text`.
        skipped: pictures that are missing or could not be read, left out with their captions.
    """

    model: str
    n_images: int
    n_captions: int
    text_to_image: Mapping[str, Estimate]
    image_to_text: Mapping[str, Estimate]
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True, slots=True)
class QualityComparison:
    """
    Attributes:
        text_to_image: b less a, by the names in `COMPARED`; so is `image_to_text`.
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
    on_stage: Stage | None = None,
    show_progress: bool = False,
) -> RetrievalQuality:
    """Searches the pictures by their captions and the captions by their pictures, all ranks counted.

    Every pair is a query that has one right picture: another one with the very same caption counts as wrong, so that
    of n such pictures one at best is first. From a picture, any of its captions is right, and each text stands once
    among the candidates. Files of the same content are one picture. Equal scores rank as they do in the search:
    pictures by path, captions in the order of the pairs.

    Args:
        catalog: whose model is measured when none is named; not changed. There need not be one.
        model: one to measure instead; it, `device` and `runtime` are as in `ModelOptions`.

    Raises:
        InputError: none of the pictures can be read.
        ModelUnavailableError: the model's files are not here.
    """
    options = ModelOptions(model, device, runtime, show_progress)
    with index_pairs(pairs, options, catalog=catalog, on_stage=on_stage) as captioned:
        return _quality(_ask(captioned))


def compare_models(
    pairs: Sequence[CaptionPair],
    a: str,
    b: str,
    *,
    device: str | None = None,
    runtime: str | None = None,
    on_stage: Stage | None = None,
    show_progress: bool = False,
) -> QualityComparison:
    """`evaluate_pairs` with two models, and whether one is better: the same queries are held against each other.

    Raises:
        InputError: as in `evaluate_pairs`.
        ClipSearchError: a picture could be read for one model only.
    """
    found = []
    for name in (a, b):
        options = ModelOptions(name, device, runtime, show_progress)
        with index_pairs(pairs, options, on_stage=on_stage) as captioned:
            found.append(_ask(captioned))
    first, second = found
    if first.skipped != second.skipped:
        raise ClipSearchError("other pictures could be read the second time: nothing to compare; try again")
    return QualityComparison(
        _quality(first),
        _quality(second),
        _differences(first.image_ranks, second.image_ranks),
        _differences(first.caption_ranks, second.caption_ranks),
    )


@dataclass(frozen=True, slots=True)
class _Answers:
    """For each pair the rank of its picture (1,), for each picture those of its captions, see `right_ranks`."""

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


def _ask(captioned: CaptionedPictures) -> _Answers:
    n_images, n_captions = len(captioned.content_ids), len(captioned.pair_texts)
    captioned.tell(f"embedding {count(len(captioned.texts), 'caption')}")
    embeddings = captioned.embed_texts()
    captioned.tell(f"searching by {count(n_captions, 'caption')}")
    # One for each pair, though several may be the same query.
    image_ranks = np.empty((n_captions, 1), dtype=np.int64)
    for batch in captioned.score_pictures(embeddings):
        is_asked = np.isin(captioned.pair_texts, batch.rows)
        rows = captioned.pair_texts[is_asked] - batch.rows[0]
        image_ranks[is_asked, 0] = rank_columns(batch.worths)[rows, captioned.pair_pictures[is_asked]]
    captioned.tell(f"asking for the captions of {count(n_images, 'picture')}")
    caption_ranks: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)] * n_images
    for found in captioned.score_captions(embeddings):
        for picture, ranks in zip(found.rows.tolist(), right_ranks(found.values, found.is_right), strict=True):
            caption_ranks[picture] = ranks
    return _Answers(captioned.model, list(image_ranks), caption_ranks, captioned.skipped)
