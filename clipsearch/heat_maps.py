"""Where in a picture words were found.

A grey square moves over the picture: where the score falls most without what it hides, the thing was. That needs
nothing of a model but that it embeds pictures, and explains the very score that was given.

Source: Zeiler, Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import Encoder
from clipsearch.preprocess import Preprocess, resize_and_crop
from clipsearch.query_pictures import PictureSource, read_picture

# Of the crop's side: the square, and how far it moves at a time. By `python -m tests.benchmarks.pointing`.
_SQUARE, _STEP = 1 / 4, 1 / 8


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """How much each place of a picture has to do with words.

    Attributes:
        words: that were looked for.
        score: cosine of the words and the whole picture.
        scores: float32 (rows, columns), the upper left place first: how much the score falls, on the average, when the
            place is hidden. They tell places of one picture apart and can't be compared between pictures.
        box: left, top, right and bottom edge of what the map covers, as shares of the upright picture's width and
            height. Models look at the centre: what lies outside was not seen.
    """

    words: str
    score: float
    scores: NDArray[np.float32]
    box: tuple[float, float, float, float]

    @property
    def peak(self) -> tuple[float, float]:
        """Where the words fit best: from the left and from the top, as shares of the picture."""
        rows, columns = self.scores.shape
        row, column = np.unravel_index(int(self.scores.argmax()), self.scores.shape)
        left, top, right, bottom = self.box
        return (
            left + (right - left) * (int(column) + 0.5) / columns,
            top + (bottom - top) * (int(row) + 0.5) / rows,
        )


def make_heat_map(picture: PictureSource, words: str, text: NDArray[np.float32], *, encoder: Encoder) -> HeatMap:
    """
    Args:
        text: (dim,) unit-norm, of the words.

    Raises:
        ImageReadError: the picture can't be read.
    """
    spec = encoder.preprocess
    image, box = read_picture(picture, spec)
    left, top, right, bottom = box or (0, 0, *image.size)
    score, scores = _occlude(resize_and_crop(image, spec, box=box), text, encoder)
    return HeatMap(words, score, scores, covered_box(right - left, bottom - top, spec))


def covered_box(width: float, height: float, spec: Preprocess) -> tuple[float, float, float, float]:
    """The part of a picture that a model's crop is, as shares of its sides; see `HeatMap.box`. A crop that is wider
    than the picture begins before it."""
    if spec.shortest_edge is None:
        return 0.0, 0.0, 1.0, 1.0
    scale = spec.shortest_edge / min(width, height)
    across, down = spec.width / (width * scale), spec.height / (height * scale)
    return (1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2


def _occlude(crop: NDArray[np.uint8], text: NDArray[np.float32], encoder: Encoder) -> tuple[float, NDArray[np.float32]]:
    """The score, and for each place its mean fall over the squares that hide it: (rows, columns)."""
    height, width, _ = crop.shape
    side = max(1, round(_SQUARE * min(height, width)))
    step = max(1, round(_STEP * min(height, width)))
    tops, lefts = (_starts(length, side, step) for length in (height, width))
    grey = crop.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    hidden = np.repeat(crop[np.newaxis], 1 + len(tops) * len(lefts), axis=0)
    squares = [(top, left) for top in tops for left in lefts]
    for number, (top, left) in enumerate(squares, start=1):
        hidden[number, top : top + side, left : left + side] = grey
    scores = encoder.encode_images(hidden) @ text
    rows, columns = -(-height // step), -(-width // step)
    total, count = np.zeros((rows, columns)), np.zeros((rows, columns))
    for (top, left), score in zip(squares, scores[1:].tolist(), strict=True):
        part = np.s_[top // step : -(-(top + side) // step), left // step : -(-(left + side) // step)]
        total[part] += scores[0] - score
        count[part] += 1
    return float(scores[0]), np.asarray(total / np.maximum(count, 1), dtype=np.float32)


def _starts(length: int, side: int, step: int) -> list[int]:
    """Of squares along one side, the last of which ends where it ends."""
    return sorted({*range(0, length - side + 1, step), length - side})
