"""Compute heat maps: where in a picture words are found.

Square windows of two sizes slide over the whole picture, and their contents are embedded as pictures of their own. A
place has the best score of a window of each size that covers it, averaged with weights: the small windows locate small
things, and the large ones fill what is larger than a small window, of which those would find the outline. Where a
model's patches are aligned with words, one pass scores them instead (`patch_map`).

Measured by `python -m tests.benchmarks.pointing`. With the starter, the window with the best score alone (of one size)
pointed worse, as did the mean over the windows that cover a place. With the median as the cold end, close-ups were
ringed instead of covered. Occlusion (hiding regions to see where the score falls) and the model's patch map before
pooling pointed worse, too. Subtracting the own level of each window from its score, as relevance does for pictures,
changes nothing measurable.
"""

import io
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.encoders.base import Encoder, with_patches
from clipsearch.encoders.embed_image import PictureSource, read_picture
from clipsearch.gallery.patch_map import patch_scores
from clipsearch.images.figures import figure_html
from clipsearch.images.preprocess import Preprocess, resize_and_crop, stretch
from clipsearch.query.tokens import find_concept
from clipsearch.scoring.bank import Bank
from clipsearch.search.hits import SearchHit
from clipsearch.session.session import Session
from clipsearch.text import check_text

# Steps along the shorter side of a picture, and maximum along the longer one.
_STEPS, _MAX_STEPS = 8, 16

# Sides of the windows in steps, and the weight of each size. These and the next constant are the best of some on
# pictures composed as in `tests.benchmarks.pointing --boxes`, with the starter; neighbouring values do as well.
_WINDOWS = {3: 2 / 3, 5: 1 / 3}

# Places this far between the level and the maximum, and connected with it, are what is shown as the best place.
_MASS_SHARE = 0.8

# Longer side of the stored thumbnail, and side of a step without a thumbnail; in pixels.
_PICTURE_SIDE, _BLANK_STEP = 384, 32


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """Scores of words for the parts of a picture.

    Attributes:
        words: the text.
        score: cosine of the text and the whole picture.
        scores: float32 (down, across), score of each place, the upper left one first. They compare places within one
            picture, and are mostly higher than the score of the whole picture.
        level: score of words in general, or the median of the scores: places at or below it are cold.
        picture: thumbnail of the upright picture; None: not stored.
    """

    words: str
    score: float
    scores: NDArray[np.float32]
    level: float
    picture: Image.Image | None = field(default=None, repr=False)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom edge of the best place, as fractions of the upright picture's sides.

        It holds the maximum and all places connected with it that score above four fifths of the way from `level` to
        it.
        """
        rows, columns = (np.flatnonzero((self._mass() > 0).any(axis=axis)) for axis in (1, 0))
        down, across = self.scores.shape
        return (
            float(columns[0] / across),
            float(rows[0] / down),
            float((columns[-1] + 1) / across),
            float((rows[-1] + 1) / down),
        )

    @property
    def peak(self) -> tuple[float, float]:
        """Centre of mass of the best place, from the left and from the top, as fractions of the picture."""
        mass = self._mass()
        down, across = ((np.arange(count) + 0.5) / count for count in mass.shape)
        return float(mass.sum(axis=0) @ across / mass.sum()), float(mass.sum(axis=1) @ down / mass.sum())

    def _mass(self) -> NDArray[np.float32]:
        """Scores scaled as in the drawing, 0 outside of the best place; where none is hot, from the median on."""
        level = self.level if self.scores.max() > self.level else float(np.median(self.scores))
        if self.scores.max() <= level:
            return np.ones_like(self.scores)
        shares = _shares(self.scores, level)
        return np.where(_connected(shares >= _MASS_SHARE, int(shares.argmax())), shares, np.float32(0))

    def _repr_html_(self) -> str:
        """Show the map in a notebook, over the picture."""
        down, across = self.scores.shape
        blank = Image.new("RGB", (across * _BLANK_STEP, down * _BLANK_STEP), "white")
        content = io.BytesIO()
        draw_heat_map(self, self.picture or blank).save(content, "JPEG", quality=80)
        return figure_html(content.getvalue(), f"{self.words}: {float(self.scores.max()):.3f}")


def find_heat_map(picture: "PictureSource | SearchHit", words: str, session: Session) -> HeatMap:
    """Compute the heat map of words, or of a taught concept as in "@rex", in a picture.

    Args:
        picture: of a hit, its file is read.

    Raises:
        QueryError: the words are empty; the concept is unknown, or nothing tells it from other pictures.
        ImageReadError: the picture can't be read.
    """
    check_text(words, "text")
    source = picture.path if isinstance(picture, SearchHit) else picture
    encoder, concept = session.model.encoder, find_concept(words.strip())
    if concept is None:
        return make_heat_map(
            source, words, session.model.encode_text(words), encoder=encoder, bank=session.model.load_bank()
        )
    session.require_pictures()
    learnt = session.concept(concept)
    return make_heat_map(source, words, learnt.embedding, encoder=encoder, level=learnt.level.location)


def make_heat_map(
    picture: PictureSource,
    words: str,
    text: NDArray[np.float32],
    *,
    encoder: Encoder,
    bank: Bank | None = None,
    level: float | None = None,
) -> HeatMap:
    """Compute the heat map of words in a picture.

    Args:
        text: (dim,) unit-norm, the embedding of the words.
        bank: of the model, for the level; None: the level is the median, so that of a thing that fills the picture the
            best parts alone are hot.
        level: in place of that of the bank, see `HeatMap.level`.

    Raises:
        ImageReadError: the picture can't be read.
    """
    spec = encoder.preprocess
    image, box = read_picture(picture, replace(spec, shortest_edge=spec.resized_side * _STEPS // min(_WINDOWS)))
    left, top, right, bottom = edges = box or (0, 0, *image.size)
    patches = with_patches(encoder)
    crop = resize_and_crop(image, spec, box=box)
    if patches is not None:
        rows = encoder.encode_images(crop[None])
        scores = patch_scores(crop, text, encoder=patches)
    else:
        steps = _steps(right - left, bottom - top)
        rows = encoder.encode_images(np.stack([crop, *_window_crops(image, edges, steps, spec)]))
        scores = _best_of_windows(rows[1:] @ text, steps)
    scale = min(1.0, _PICTURE_SIDE / max(right - left, bottom - top))
    size = max(1, round(scale * (right - left))), max(1, round(scale * (bottom - top)))
    if level is None:
        level = float(np.median(scores) if bank is None else (rows @ bank.embeddings.mean(axis=0)).mean())
    return HeatMap(words, float(rows[0] @ text), scores, level, image.resize(size, box=edges))


def _steps(width: float, height: float) -> tuple[int, int]:
    """Return the number of steps down and across."""
    longer = min(_MAX_STEPS, round(_STEPS * max(width, height) / min(width, height)))
    return (longer, _STEPS) if height > width else (_STEPS, longer)


def _places(steps: tuple[int, int]) -> list[tuple[int, int, int]]:
    """Return the side, row and column of all windows in steps, the smaller windows first."""
    down, across = steps
    return [
        (side, row, column)
        for side in _WINDOWS
        for row in range(down - side + 1)
        for column in range(across - side + 1)
    ]


def _window_crops(
    image: Image.Image, box: tuple[float, float, float, float], steps: tuple[int, int], spec: Preprocess
) -> list[NDArray[np.uint8]]:
    """Return the crops of all windows in the order of `_places`, resized to the model's input: uint8 each."""
    left, top, right, bottom = box
    down, across = (bottom - top) / steps[0], (right - left) / steps[1]
    return [
        stretch(
            image,
            spec,
            (
                left + column * across,
                top + row * down,
                min(right, left + (column + side) * across),
                min(bottom, top + (row + side) * down),
            ),
        )
        for side, row, column in _places(steps)
    ]


def _best_of_windows(found: NDArray[np.float32], steps: tuple[int, int]) -> NDArray[np.float32]:
    """Return the score of each place, float32 of shape `steps`, from those (n,) of all windows."""
    best = {side: np.full(steps, -np.inf, dtype=np.float32) for side in _WINDOWS}
    for score, (side, row, column) in zip(found, _places(steps), strict=True):
        covered = best[side][row : row + side, column : column + side]
        np.maximum(covered, score, out=covered)
    weighted = [weight * best[side] for side, weight in _WINDOWS.items()]
    return np.asarray(np.sum(weighted, axis=0), dtype=np.float32)


def _connected(is_hot: NDArray[np.bool_], start: int) -> NDArray[np.bool_]:
    """Return which hot places are connected by their edges with the one at the flat index `start`."""
    reached = np.zeros_like(is_hot)
    reached.flat[start] = True
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= is_hot
        if (grown == reached).all():
            return reached
        reached = grown


# From cold to hot: dark blue, purple, orange, light yellow. Lightness increases monotonically, so that the map is
# readable without colour vision and in print.
_COLOURS = ((0.0, (24, 20, 78)), (0.4, (126, 36, 122)), (0.75, (236, 106, 58)), (1.0, (253, 236, 150)))

# Alpha of the hottest and the coldest places, of 255.
_MAX_ALPHA, _MIN_ALPHA = 190, 60


def overlay(heat_map: HeatMap, width: int, height: int) -> Image.Image:
    """Render the overlay of a heat map for a picture shown at `width` × `height`: mode "RGBA"."""
    shares = _shares(heat_map.scores, heat_map.level) ** 2  # half as good as the best place is lukewarm
    smooth = Image.fromarray(shares).resize((width, height), Image.Resampling.BICUBIC)
    shares = np.clip(np.asarray(smooth, dtype=np.float32), 0, 1)
    stops, colours = [stop for stop, _ in _COLOURS], np.array([colour for _, colour in _COLOURS])
    pixels = np.empty((*shares.shape, 4), dtype=np.uint8)
    for channel in range(3):
        pixels[..., channel] = np.interp(shares, stops, colours[:, channel])
    pixels[..., 3] = _MIN_ALPHA + (_MAX_ALPHA - _MIN_ALPHA) * shares
    return Image.fromarray(pixels)


def draw_heat_map(heat_map: HeatMap, picture: Image.Image) -> Image.Image:
    """Draw a heat map over the upright picture: mode "RGB"."""
    return Image.alpha_composite(picture.convert("RGBA"), overlay(heat_map, *picture.size)).convert("RGB")


def _shares(scores: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """Scale scores from 0 at the level and below to 1 at the maximum; 0 where all are below."""
    return np.asarray(np.clip((scores - level) / max(float(scores.max()) - level, 1e-6), 0, 1), dtype=np.float32)
