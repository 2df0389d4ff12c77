"""How good the search is on pictures whose captions are known: measured through the catalog, as people ask it."""

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch.caption_pairs import CaptionPair
from clipsearch.catalog import Catalog
from clipsearch.errors import CatalogNotFoundError, ClipSearchError, InputError
from clipsearch.evaluation import (
    METRICS,
    Difference,
    Estimate,
    compare_values,
    estimate_metrics,
    right_ranks,
    score_queries,
)
from clipsearch.grammar import words_query
from clipsearch.images.find import IMAGE_SUFFIXES
from clipsearch.images.links import link_image
from clipsearch.notices import muted
from clipsearch.quantities import count
from clipsearch.types import SkippedFile

COMPARED = ("recall@1", "mrr")
"""The metrics that two models are compared by."""

Stage = Callable[[str], None]
"""Called with a few words on what is done next."""


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


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """How often a picture's label is the first, or among the first five, of all labels.

    Attributes:
        n_labels: different ones, the candidates.
    """

    model: str
    n_images: int
    n_labels: int
    top_1: Estimate
    top_5: Estimate
    skipped: tuple[SkippedFile, ...]


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
        model: as in `Catalog.open`, like `device` and `runtime`.

    Raises:
        InputError: none of the pictures can be read.
        ModelUnavailableError: the model's files are not here.
    """
    chosen = model or _model_of(catalog)
    return _quality(
        _ask(pairs, model=chosen, device=device, runtime=runtime, on_stage=on_stage, show_progress=show_progress)
    )


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
    first, second = (
        _ask(pairs, model=name, device=device, runtime=runtime, on_stage=on_stage, show_progress=show_progress)
        for name in (a, b)
    )
    if first.skipped != second.skipped:
        raise ClipSearchError("other pictures could be read the second time: nothing to compare; try again")
    return QualityComparison(
        _quality(first),
        _quality(second),
        _differences(first.image_ranks, second.image_ranks),
        _differences(first.caption_ranks, second.caption_ranks),
    )


def evaluate_labels(
    pairs: Sequence[CaptionPair],
    *,
    catalog: str | os.PathLike[str] | None = None,
    model: str | None = None,
    device: str | None = None,
    runtime: str | None = None,
    on_stage: Stage | None = None,
    show_progress: bool = False,
) -> LabelQuality:
    """Zero-shot classification: the captions are labels, and a picture is asked for its own among all of them.

    Labels are given to the model as they stand, without words around them.

    Args:
        catalog: as in `evaluate_pairs`, like all that follow.

    Raises:
        InputError: none of the pictures can be read.
    """
    answers = _ask(
        pairs,
        model=model or _model_of(catalog),
        device=device,
        runtime=runtime,
        on_stage=on_stage,
        show_progress=show_progress,
        only_labels=True,
    )
    found = estimate_metrics(score_queries(answers.caption_ranks))
    return LabelQuality(
        model=answers.model,
        n_images=len(answers.caption_ranks),
        n_labels=answers.n_texts,
        top_1=found["recall@1"],
        top_5=found["recall@5"],
        skipped=answers.skipped,
    )


@dataclass(frozen=True, slots=True)
class _Answers:
    """For each caption the rank of its picture, for each picture those of its captions, see `right_ranks`."""

    model: str
    n_texts: int
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


def _model_of(directory: str | os.PathLike[str] | None) -> str | None:
    """The name of the model that a catalog uses; None where there is no catalog, or nothing in it."""
    try:
        with Catalog.open(directory) as catalog:
            return catalog.status().model
    except CatalogNotFoundError:
        return None


def _ask(
    pairs: Sequence[CaptionPair],
    *,
    model: str | None,
    device: str | None,
    runtime: str | None,
    on_stage: Stage | None,
    show_progress: bool,
    only_labels: bool = False,
) -> _Answers:
    """Indexes the pictures alone, in a catalog that is gone afterwards, and asks it for everything.

    Args:
        only_labels: captions are not searched by.
    """
    tell = on_stage or (lambda what: None)
    with (
        tempfile.TemporaryDirectory(prefix="clipsearch-eval-") as scratch,
        Catalog.open(
            Path(scratch) / "catalog",
            model=model,
            device=device,
            runtime=runtime,
            create=True,
            show_progress=show_progress,
        ) as catalog,
    ):
        indexed = _index(catalog, [pair.image for pair in pairs], Path(scratch) / "pictures", tell)
        known = [pair for pair in pairs if pair.image in indexed.contents]
        texts = list(dict.fromkeys(pair.caption for pair in known))
        tell(f"embedding {count(len(texts), 'caption')}")
        catalog.add_captions(texts)
        image_ranks = []
        if not only_labels:
            tell(f"searching by {count(len(known), 'caption')}")
            found = partial(catalog.search, top_k=len(indexed.pictures))
            for pair in known:
                with muted():  # a caption that is long was told of once
                    answers = [hit.content_id for hit in found(words_query(pair.caption))]
                image_ranks.append(right_ranks(answers, {indexed.contents[pair.image]}))
        tell(f"asking for the captions of {count(len(indexed.pictures), 'picture')}")
        right: dict[int, set[str]] = {}
        for pair in known:
            right.setdefault(indexed.contents[pair.image], set()).add(pair.caption)
        caption_ranks = []
        for content_id, path in indexed.pictures.items():
            captions = [hit.text for hit in catalog.caption(path, top_k=len(texts), with_relevance=False)]
            caption_ranks.append(right_ranks(captions, right[content_id]))
        return _Answers(catalog.encoder.name, len(texts), image_ranks, caption_ranks, indexed.skipped)


@dataclass(frozen=True, slots=True)
class _Indexed:
    """
    Attributes:
        contents: of the pictures that could be read, by their paths.
        pictures: a file of each content.
        skipped: by path.
    """

    contents: dict[Path, int]
    pictures: dict[int, str]
    skipped: tuple[SkippedFile, ...]


def _index(catalog: Catalog, images: Iterable[Path], folder: Path, tell: Stage) -> _Indexed:
    """Indexes these pictures and no others, in the order of their paths: so a search ranks equal scores."""
    folder.mkdir()
    files: dict[str, Path] = {}
    reasons: dict[Path, str] = {}
    for row, image in enumerate(sorted(set(images), key=os.fspath)):
        if not os.path.isfile(image):  # noqa: PTH113 (Path's own does not take every name)
            reasons[image] = "no such file"
        elif image.suffix.lower() not in IMAGE_SUFFIXES:
            reasons[image] = "not a picture by its name"
        else:
            name = f"{row:09}{image.suffix}"
            link_image(image, folder / name)
            files[name] = image
    tell(f"indexing {count(len(files), 'picture')}")
    report = catalog.index(folder)
    if report.interrupted:
        raise KeyboardInterrupt
    reasons |= {files[Path(file.path).name]: file.reason for file in report.skipped}
    if len(report.skipped) == report.found:
        image, reason = min(reasons.items())
        raise InputError(f"none of the pictures can be read, such as {image}: {reason}")
    # Every picture is among the answers to any question.
    pictures = {hit.content_id: hit for hit in catalog.search(words_query("a picture"), top_k=report.found)}
    contents = {
        files[Path(path).name]: content_id for content_id, hit in pictures.items() for path in (hit.path, *hit.copies)
    }
    skipped = tuple(SkippedFile(str(image), reason) for image, reason in sorted(reasons.items()))
    return _Indexed(contents, {content_id: hit.path for content_id, hit in pictures.items()}, skipped)
