"""Hits of a query: the pictures, what each term contributed, and how a notebook shows them."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.errors import ImageReadError

if TYPE_CHECKING:
    from PIL import Image

# Pixels of a picture that a notebook shows.
_NOTEBOOK_SIDE = 256


@dataclass(frozen=True, slots=True)
class TermScore:
    """What one term of a query has to do with a picture.

    Attributes:
        term: as in the language of queries, with its weight but without its sign.
        weight: below 0 for what is not wanted.
        score: cosine of the term alone.
        contribution: to the score of the sum that it is a part of; with a single sum, that of the hit.
    """

    term: str
    weight: float
    score: float
    contribution: float


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One picture that answers a query.

    Attributes:
        rank: from 1.
        score: cosine, -1 to 1, higher is better; comes from the model and is no probability. Where several things must
            hold, of that which holds least. Not a number for a query of filters alone, in which nothing is compared.
        relevance: 0 to 1, how surely the picture shows what is looked for; see `relevance`. It may grow with the rank.
            1 for a query of filters alone.
        path: absolute path of the picture (non-UTF-8 bytes as surrogate escapes).
        content_id: the catalog's number for the picture's content.
        copies: absolute paths of other files with the same content.
        terms: what each term of the query has to do with it; empty unless that was asked for.
    """

    rank: int
    score: float
    relevance: float
    path: str
    content_id: int
    copies: tuple[str, ...] = ()
    terms: tuple[TermScore, ...] = ()

    def thumbnail(self, side: int = 512) -> "Image.Image":
        """Read the picture upright, at most `side` pixels wide and high.

        Raises:
            ImageReadError: its file is missing or can't be decoded.
        """
        from PIL import Image

        with Image.open(io.BytesIO(_read_jpeg(self.path, side))) as image:
            image.load()
        return image

    def _repr_html_(self) -> str:
        """Show the picture in a notebook, where its file is there."""
        return hits_html([self])


def hits_html(hits: Sequence[SearchHit]) -> str:
    """Render hits side by side as HTML, each picture as a data URI; all text is escaped."""
    from clipsearch.images.figures import figure_html

    figures = []
    for hit in hits:
        try:
            jpeg = _read_jpeg(hit.path, _NOTEBOOK_SIDE)
        except ImageReadError:
            jpeg = None
        relevance = "" if math.isnan(hit.score) else f", relevance {hit.relevance:.2f}"
        figures.append(figure_html(jpeg, f"{hit.rank}. {Path(hit.path).name}{relevance}", title=hit.path))
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px">{"".join(figures)}</div>'


def _read_jpeg(path: str, side: int) -> bytes:
    """
    Raises:
        ImageReadError: the file is missing or can't be decoded.
    """
    from clipsearch.images.thumbnails import make_thumbnail

    try:
        return make_thumbnail(path, side=side).jpeg
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ImageReadError(f"can't read the picture {path}: {getattr(error, 'strerror', None) or error}") from error
    except ImageReadError as error:
        raise ImageReadError(f"can't read the picture {path}: {error}") from error
