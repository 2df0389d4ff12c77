"""Index captioned pictures in a temporary catalog, and score all texts against all pictures in batches."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch import settings
from clipsearch.captions.pairs import CaptionPair
from clipsearch.catalog import Catalog
from clipsearch.errors import CatalogNotFoundError, InputError
from clipsearch.evaluation.links import link_image
from clipsearch.formats import IMAGE_SUFFIXES
from clipsearch.indexes.flat import FaissIndex
from clipsearch.labels.assign import label_space
from clipsearch.quantities import count
from clipsearch.search.retrieval import handicap_of
from clipsearch.session.session import Session
from clipsearch.types import ModelOptions, SkippedFile

Stage = Callable[[str], None]
"""Callback with a short description of the next step."""

# Texts embedded per batch.
_TEXTS = 512

CELLS = 1 << 21
"""Scores per batch; a few hundred megabytes with all arrays derived from them."""

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PictureScores:
    """Scores of t texts for all n pictures, as in `Catalog.search`.

    Attributes:
        rows: (t,) row numbers of the texts.
        is_right: (t, n) whether a text is a caption of the picture; all following arrays have this shape.
        scores: cosines; -inf where an approximate index did not visit a picture.
        worths: values that the search ranks by.
        relevances: from 0 to 1.
    """

    rows: NDArray[np.int64]
    is_right: NDArray[np.bool_]
    scores: Rows
    worths: Rows
    relevances: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TextScores:
    """Scores of p pictures for all m texts.

    Attributes:
        rows: (p,) row numbers of the pictures.
        is_right: (p, m) whether a text is a caption of the picture.
        values: (p, m), higher is better.
    """

    rows: NDArray[np.int64]
    is_right: NDArray[np.bool_]
    values: NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class CaptionedPictures:
    """Indexed pictures, n distinct contents, and their m distinct captions.

    Attributes:
        model: model name.
        content_ids: (n,) in path order, in which a search ranks equal scores.
        texts: in pair order, in which captions of equal score rank.
        pair_texts, pair_pictures: (p,) row numbers of the text and the picture of each pair.
        skipped: missing or unreadable pictures, by path.
        tell: progress callback.
    """

    session: Session
    model: str
    content_ids: NDArray[np.int64]
    texts: tuple[str, ...]
    pair_texts: NDArray[np.int64]
    pair_pictures: NDArray[np.int64]
    skipped: tuple[SkippedFile, ...]
    tell: Stage

    def embed_texts(self) -> Rows:
        """Embed the texts as the words of a query: (m, dim) unit-norm."""
        encode = self.session.model.encoder.encode_texts
        starts = range(0, len(self.texts), _TEXTS)
        return np.concatenate([encode(self.texts[start : start + _TEXTS]) for start in starts])

    def score_pictures(self, embeddings: Rows) -> Iterator[PictureScores]:
        """Score all pictures by each text, as in `Catalog.search`: through the index, with the catalog's background.

        Args:
            embeddings: (m, dim) unit-norm, of the texts.
        """
        index, row = self.session.vector_index("images"), self.session.model.row
        background = self.session.background(index)
        fetch = partial(self.session.store.reader.embeddings, model_id=row.model_id, dim=row.dim)
        ids, pictures, handicaps = self._parts()
        own_levels = background.own_levels_of(ids.tolist(), fetch)
        step = max(1, CELLS // len(ids))
        for start in range(0, len(embeddings), step):
            part = embeddings[start : start + step]
            directions = [background.direction([embedding], [1.0], are_words=[True]) for embedding in part]
            scores = _scores_by_id(index.search(part, len(ids)), ids)
            worths = np.stack([each.worth(found) for each, found in zip(directions, scores, strict=True)]) - handicaps
            relevances = np.stack(
                [each.relevances(found, own_levels, handicaps) for each, found in zip(directions, scores, strict=True)]
            )
            if len(ids) > len(self.content_ids):  # of several parts, the best
                best = np.stack([_best_of_each(found, pictures, len(self.content_ids)) for found in worths])
                scores = np.take_along_axis(scores, best, axis=1)
                worths = np.take_along_axis(worths, best, axis=1)
                relevances = np.take_along_axis(relevances, best, axis=1)
            texts = np.arange(start, start + len(part), dtype=np.int64)
            is_right = _pairs_among(texts, self.pair_texts, self.pair_pictures, len(self.content_ids))
            yield PictureScores(texts, is_right, scores, worths, relevances)

    def _parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Return the ids (N,) of all parts of the pictures, the row of each one's picture, and its handicap.

        The pictures themselves, or their covers, come first in their order.
        """
        of_contents = self.session.store.reader.parts.of_contents(self.content_ids.tolist())
        ids, rows = self.content_ids.tolist(), list(range(len(self.content_ids)))
        handicaps = [handicap_of(of_contents[each][0][1]) if each in of_contents else 0.0 for each in ids]
        for row, content_id in enumerate(self.content_ids.tolist()):
            for part_id, part in of_contents.get(content_id, ())[1:]:
                ids.append(part_id)
                rows.append(row)
                handicaps.append(handicap_of(part))
        return np.array(ids), np.array(rows), np.array(handicaps, dtype=np.float32)

    def score_captions(self, embeddings: Rows) -> Iterator[TextScores]:
        """Score all texts by each picture, as in `Catalog.caption`, from the stored embedding of the picture.

        Args:
            embeddings: (m, dim) unit-norm, of the texts.
        """
        # Like stored captions: rounded to float16, exact search.
        ids = np.arange(len(embeddings), dtype=np.int64)
        index = FaissIndex(embeddings.shape[1])
        index.add(ids, embeddings)
        for pictures, images in self._stored_pictures():
            scores = _scores_by_id(index.search(images, len(ids)), ids)
            yield TextScores(pictures, self._own_texts(pictures), scores)

    def label_relevances(self) -> Iterator[TextScores]:
        """Yield the relevance (p, m) of all texts as labels, as in `LabelCollection.assign_all`."""
        space = label_space(self.texts, self.session)
        for pictures, images in self._stored_pictures():
            yield TextScores(pictures, self._own_texts(pictures), space.relevances(images))

    def _own_texts(self, pictures: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which texts are captions of which pictures: (p, m)."""
        return _pairs_among(pictures, self.pair_pictures, self.pair_texts, len(self.texts))

    def _stored_pictures(self) -> Iterator[tuple[NDArray[np.int64], Rows]]:
        """Yield row numbers of pictures (p,) with their stored embeddings (p, dim), in batches limited by `CELLS`."""
        row, order = self.session.model.row, np.argsort(self.content_ids)
        step = max(1, CELLS // len(self.texts))
        for rows in self.session.store.reader.rows_after("images", model_id=row.model_id, dim=row.dim):
            is_cover = np.isin(rows.ids, self.content_ids)
            ids, embeddings = rows.ids[is_cover], rows.embeddings[is_cover]
            pictures = order[np.searchsorted(self.content_ids, ids, sorter=order)]
            for start in range(0, len(pictures), step):
                yield pictures[start : start + step], embeddings[start : start + step]


def _scores_by_id(found: tuple[Rows, NDArray[np.int64]], ids: NDArray[np.int64]) -> Rows:
    """Reorder an index's results for q queries, best first, to (q, n) in the order of n ids; -inf where absent."""
    order = np.argsort(ids)
    scores = np.full((len(found[0]), len(ids)), -np.inf, dtype=np.float32)
    np.put_along_axis(scores, order[np.searchsorted(ids, found[1], sorter=order)], found[0], axis=1)
    return scores


def _best_of_each(values: Rows, groups: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return where the highest value of each of `count` groups is, the first of equal ones; values and groups (N,)."""
    order = np.lexsort((np.arange(len(values)), -values, groups))
    return order[np.searchsorted(groups[order], np.arange(count))]


def _pairs_among(
    rows: NDArray[np.int64], pair_rows: NDArray[np.int64], pair_columns: NDArray[np.int64], columns: int
) -> NDArray[np.bool_]:
    """Return which pairs exist: (len(rows), columns); rows are in any order."""
    found = np.zeros((len(rows), columns), dtype=np.bool_)
    inside, order = np.isin(pair_rows, rows), np.argsort(rows)
    found[order[np.searchsorted(rows, pair_rows[inside], sorter=order)], pair_columns[inside]] = True
    return found


def _model_of(directory: str | os.PathLike[str] | None) -> str | None:
    """Return the model name of a catalog; None without a catalog, or for an empty one."""
    try:
        with Catalog.open(directory) as catalog:
            return catalog.admin.status().model
    except CatalogNotFoundError:
        return None


class _Scratch(Catalog):
    """Temporary catalog with access to its session."""

    @property
    def session(self) -> Session:
        return self._session


@contextmanager
def index_pairs(
    pairs: Sequence[CaptionPair],
    options: ModelOptions,
    *,
    catalog: str | os.PathLike[str] | None = None,
    on_stage: Stage | None,
) -> Iterator[CaptionedPictures]:
    """Index the pictures of pairs in a temporary catalog, which is deleted at the end of the context.

    Args:
        catalog: default of the model, see `evaluate_pairs`.

    Raises:
        InputError: none of the pictures can be read.
    """
    named, options = options.name, settings.with_suffix(options)
    with (
        tempfile.TemporaryDirectory(prefix="clipsearch-eval-") as scratch,
        _Scratch.open(
            Path(scratch) / "catalog",
            model=options.name or _model_of(catalog),
            device=options.device,
            runtime=options.runtime,
            precision=options.precision,
            create=True,
            show_progress=options.show_progress,
        ) as opened,
    ):
        captioned = _index(opened, pairs, Path(scratch) / "pictures", on_stage or (lambda what: None))
        yield captioned if named == options.name else replace(captioned, model=str(named))


def _index(catalog: _Scratch, pairs: Sequence[CaptionPair], folder: Path, tell: Stage) -> CaptionedPictures:
    """Link and index pictures, numbered in path order, in which a search ranks equal scores."""
    folder.mkdir()
    files: dict[str, Path] = {}
    reasons: dict[Path, str] = {}
    for row, image in enumerate(sorted({pair.image for pair in pairs}, key=os.fspath)):
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
    # By path, so that a content has the position of the first of its files.
    contents = {files[Path(file.path).name]: file.content_id for file in catalog.session.store.reader.files_below()}
    pictures = {content_id: row for row, content_id in enumerate(dict.fromkeys(contents.values()))}
    known = [pair for pair in pairs if pair.image in contents]
    texts = {text: row for row, text in enumerate(dict.fromkeys(pair.caption for pair in known))}
    return CaptionedPictures(
        session=catalog.session,
        model=catalog.encoder.name,
        content_ids=np.array(list(pictures), dtype=np.int64),
        texts=tuple(texts),
        pair_texts=np.array([texts[pair.caption] for pair in known], dtype=np.int64),
        pair_pictures=np.array([pictures[contents[pair.image]] for pair in known], dtype=np.int64),
        skipped=tuple(SkippedFile(str(image), reason) for image, reason in sorted(reasons.items())),
        tell=tell,
    )
