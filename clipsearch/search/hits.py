"""Hits of a query with the contribution of each term, and their rendering in notebooks."""

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.errors import ImageReadError, UnknownPictureError
from clipsearch.images.sides import check_side
from clipsearch.ocr.lines import TextLine
from clipsearch.parts import Part, locate
from clipsearch.session.session import Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from clipsearch.encoders.embed_image import Picture

# Longer side in pixels of a picture shown in a notebook.
_NOTEBOOK_SIDE = 256


@dataclass(frozen=True, slots=True)
class TermScore:
    """Score of one term of a query for a picture.

    Attributes:
        term: in the query language, with its weight but without its sign.
        weight: negative for an unwanted term.
        score: cosine of the term alone.
        contribution: to the score of its group; with a single group, that is the score of the hit.
    """

    term: str
    weight: float
    score: float
    contribution: float


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One picture found by a query.

    Attributes:
        rank: from 1.
        score: cosine, -1 to 1, higher is better; depends on the model and is not a probability. With several groups,
            that of the group that the picture matches least. NaN for a query of filters only.
        relevance: calibrated score, 0 to 1, see `relevance`; it may increase with the rank. 1 for a query of filters
            only.
        path: absolute path of the picture (non-UTF-8 bytes as surrogate escapes).
        content_id: id of the picture's content in the catalog.
        copies: absolute paths of other files with the same content.
        terms: score of each term of the query; empty unless requested with `explain`.
        part: the part of the content that matches best, of several; None: a whole picture.
        stack: content ids of the others that are one item with it, the best first, see `Catalog.search`; the score, the
            relevance and the terms are those of the one of them all that matches best.
        written: what is written about it, or about one of its stack, or was read in it, around the words of the query,
            up to about 80 characters; None where that does not have all of them.
        line: the line that `written` quotes, where it was read in the picture.
    """

    rank: int
    score: float
    relevance: float
    path: str
    content_id: int
    copies: tuple[str, ...] = ()
    terms: tuple[TermScore, ...] = ()
    part: Part | None = None
    stack: tuple[int, ...] = ()
    written: str | None = None
    line: TextLine | None = None

    @property
    def location(self) -> str:
        """Path with the part as its fragment, "film.mp4#t=83.5"."""
        return locate(self.path, self.part)

    def thumbnail(self, side: int = 512) -> "Image.Image":
        """Read the picture upright, at most `side` pixels wide and high.

        Raises:
            ImageReadError: its file is missing or can't be decoded.
            InputError: `side` is out of range, 1 to 65,535.
        """
        from PIL import Image

        check_side(side)
        with Image.open(io.BytesIO(_read_jpeg(self, side))) as image:
            image.load()
        return image

    def _repr_html_(self) -> str:
        """Render the picture for a notebook, if its file exists."""
        return hits_html([self])


def reachable(paths: Sequence[str]) -> Sequence[str]:
    """Return the paths that exist, of several; all of them when none does, as on a drive that is not mounted."""
    if len(paths) == 1:
        return paths
    return [path for path in paths if os.path.lexists(path)] or paths


def picture_of(source: "Picture | SearchHit", session: Session) -> "Picture":
    """Return the stored embedding (dim,), unit-norm, of a hit; any other picture as it is.

    Raises:
        UnknownPictureError: the catalog has no such picture any more.
    """
    if not isinstance(source, SearchHit):
        return source
    [embedding] = embeddings_of([source], session)
    if embedding is None:
        raise UnknownPictureError(source.content_id)
    return embedding


def embeddings_of(hits: Sequence[SearchHit], session: Session) -> "list[NDArray[np.float32] | None]":
    """Return the embedding (dim,), unit-norm, of each hit's part; None for one that was deleted meanwhile."""
    reader, row = session.store.reader, session.model.row
    with_parts = reader.parts.of_contents([hit.content_id for hit in hits if hit.part is not None])
    ids = [
        next((part_id for part_id, part in with_parts.get(hit.content_id, ()) if part == hit.part), hit.content_id)
        for hit in hits
    ]
    found = reader.embeddings(ids, model_id=row.model_id, dim=row.dim)
    return [found.get(part_id) for part_id in ids]


def hits_html(hits: Sequence[SearchHit]) -> str:
    """Render hits side by side as HTML, each picture as a data URI; all text is escaped."""
    from clipsearch.images.figures import figure_html

    figures = []
    for hit in hits:
        try:
            jpeg = _read_jpeg(hit, _NOTEBOOK_SIDE)
        except ImageReadError:
            jpeg = None
        relevance = "" if math.isnan(hit.score) else f", relevance {hit.relevance:.2f}"
        figures.append(figure_html(jpeg, f"{hit.rank}. {Path(hit.path).name}{relevance}", title=hit.path))
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px">{"".join(figures)}</div>'


def _read_jpeg(hit: SearchHit, side: int) -> bytes:
    """Read a picture, or its part, as an upright JPEG of at most `side` pixels.

    Raises:
        ImageReadError: the file is missing or can't be decoded.
    """
    from clipsearch.images.thumbnails import make_thumbnail

    try:
        return make_thumbnail(hit.path, side=side, part=hit.part).jpeg
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise ImageReadError(f"can't read the picture {hit.path}: {reason}") from error
    except ImageReadError as error:
        raise ImageReadError(f"can't read the picture {hit.path}: {error}") from error
