"""Compute heat maps: where in a picture words are found.

A square window slides over the whole picture and its content is embedded as a picture of its own; the window with the
highest score locates the words. This requires only a model that embeds pictures, and covers what the centre crop cuts
off. Where a model's patches are aligned with words, one pass scores them instead (`patch_map`).
`python -m tests.benchmarks.pointing` measures it. With the starter, occlusion (hiding regions to see where the score
falls) and the model's patch map before pooling both pointed worse. Subtracting the own level of each window from its
score, as relevance does for pictures, points no better: on sample_data 0.950 instead of 0.975 (half of it: 0.967), on
stamps by caption 0.725 instead of 0.708 (0.713), by kind 0.704 both (0.708), on photographs 0.912 instead of 0.908
(0.917), all within the error of 120 and 240 maps.
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

# Steps along the shorter side of a picture, and maximum along the longer one.
_STEPS, _MAX_STEPS = 8, 16

# Side of a window in steps.
_WINDOW = 3

# Longer side of the stored thumbnail, and side of a step without a thumbnail; in pixels.
_PICTURE_SIDE, _BLANK_STEP = 384, 32


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """Scores of words for the parts of a picture.

    Attributes:
        words: the text.
        score: cosine of the text and the whole picture.
        scores: float32 (rows, columns), cosine of the text and the content of each window, the upper left one first.
            They compare places within one picture, and are mostly higher than the score of the whole picture.
        steps: steps down and across the picture; a window is three steps high and wide.
        picture: thumbnail of the upright picture; None: not stored.
    """

    words: str
    score: float
    scores: NDArray[np.float32]
    steps: tuple[int, int]
    picture: Image.Image | None = field(default=None, repr=False)

    @property
    def best(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom edge of the best window, as fractions of the upright picture's sides."""
        row, column = divmod(int(self.scores.argmax()), self.scores.shape[1])
        down, across = self.steps
        return column / across, row / down, (column + _WINDOW) / across, (row + _WINDOW) / down

    @property
    def peak(self) -> tuple[float, float]:
        """Centre of `best`, from the left and from the top, as fractions of the picture."""
        left, top, right, bottom = self.best
        return (left + right) / 2, (top + bottom) / 2

    @property
    def cells(self) -> NDArray[np.float32]:
        """Scores of all steps of the picture, float32 of shape `steps`.

        Each step has the score of the window centred on it; at the edges, of the nearest window.
        """
        return np.pad(self.scores, _WINDOW // 2, mode="edge")

    def _repr_html_(self) -> str:
        """Show the map in a notebook, over the picture."""
        down, across = self.steps
        blank = Image.new("RGB", (across * _BLANK_STEP, down * _BLANK_STEP), "white")
        content = io.BytesIO()
        draw_heat_map(self, self.picture or blank).save(content, "JPEG", quality=80)
        return figure_html(content.getvalue(), f"{self.words}: {float(self.scores.max()):.3f}")


def make_heat_map(picture: PictureSource, words: str, text: NDArray[np.float32], *, encoder: Encoder) -> HeatMap:
    """Compute the heat map of words in a picture.

    Args:
        text: (dim,) unit-norm, the embedding of the words.

    Raises:
        ImageReadError: the picture can't be read.
    """
    spec = encoder.preprocess
    image, box = read_picture(picture, replace(spec, shortest_edge=spec.resized_side * _STEPS // _WINDOW))
    left, top, right, bottom = box or (0, 0, *image.size)
    patches = with_patches(encoder)
    crops = [resize_and_crop(image, spec, box=box)]
    if patches is not None and min(patches.patch_grid) >= _WINDOW:
        steps = patches.patch_grid
        whole = encoder.encode_images(np.stack(crops)) @ text
        scores = np.append(whole, patch_scores(crops[0], text, encoder=patches))
    else:
        steps = _steps(right - left, bottom - top)
        crops += _windows(image, (left, top, right, bottom), steps, spec)
        scores = encoder.encode_images(np.stack(crops)) @ text
    rows, columns = (count - _WINDOW + 1 for count in steps)
    scale = min(1.0, _PICTURE_SIDE / max(right - left, bottom - top))
    size = max(1, round(scale * (right - left))), max(1, round(scale * (bottom - top)))
    return HeatMap(
        words,
        float(scores[0]),
        np.asarray(scores[1:].reshape(rows, columns), dtype=np.float32),
        steps,
        image.resize(size, box=(left, top, right, bottom)),
    )


def _steps(width: float, height: float) -> tuple[int, int]:
    """Return the number of steps down and across."""
    longer = min(_MAX_STEPS, round(_STEPS * max(width, height) / min(width, height)))
    return (longer, _STEPS) if height > width else (_STEPS, longer)


def _windows(
    image: Image.Image, box: tuple[float, float, float, float], steps: tuple[int, int], spec: Preprocess
) -> list[NDArray[np.uint8]]:
    """Return the crops of all windows, resized to the model's input: (height, width, 3) uint8 each."""
    left, top, right, bottom = box
    down, across = (bottom - top) / steps[0], (right - left) / steps[1]
    return [
        stretch(
            image,
            spec,
            (
                left + column * across,
                top + row * down,
                min(right, left + (column + _WINDOW) * across),
                min(bottom, top + (row + _WINDOW) * down),
            ),
        )
        for row in range(steps[0] - _WINDOW + 1)
        for column in range(steps[1] - _WINDOW + 1)
    ]


# From cold to hot: dark blue, purple, orange, light yellow. Lightness increases monotonically, so that the map is
# readable without colour vision and in print.
_COLOURS = ((0.0, (24, 20, 78)), (0.4, (126, 36, 122)), (0.75, (236, 106, 58)), (1.0, (253, 236, 150)))

# Alpha of the hottest and the coldest places, of 255.
_MAX_ALPHA, _MIN_ALPHA = 190, 60


def overlay(heat_map: HeatMap, width: int, height: int) -> Image.Image:
    """Render the overlay of a heat map for a picture shown at `width` × `height`: mode "RGBA"."""
    smooth = Image.fromarray(_shares(heat_map.cells)).resize((width, height), Image.Resampling.BICUBIC)
    shares = np.clip(np.asarray(smooth, dtype=np.float32), 0, 1)
    stops, colours = [stop for stop, _ in _COLOURS], np.array([colour for _, colour in _COLOURS])
    pixels = np.empty((*shares.shape, 4), dtype=np.uint8)
    for channel in range(3):
        pixels[..., channel] = np.interp(shares, stops, colours[:, channel])
    pixels[..., 3] = _MIN_ALPHA + (_MAX_ALPHA - _MIN_ALPHA) * shares
    return Image.fromarray(pixels)


def overlay_png(heat_map: HeatMap, width: int, height: int) -> bytes:
    """Render the overlay of a heat map as the content of a PNG file."""
    content = io.BytesIO()
    overlay(heat_map, width, height).save(content, "PNG")
    return content.getvalue()


def draw_heat_map(heat_map: HeatMap, picture: Image.Image) -> Image.Image:
    """Draw a heat map over the upright picture: mode "RGB"."""
    return Image.alpha_composite(picture.convert("RGBA"), overlay(heat_map, *picture.size)).convert("RGB")


def _shares(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale scores from 0 at the median and below to 1 at the maximum."""
    low, high = float(np.median(scores)), float(scores.max())
    return np.asarray(np.clip((scores - low) / max(high - low, 1e-6), 0, 1), dtype=np.float32)
