"""What marked pictures weigh: limits of the plus, the floor and the cap of the minus."""

import numpy as np
import pytest

from clipsearch.scoring.feedback import Unwanted, weights_of_wanted
from clipsearch.scoring.relevance import Level, scale_of

# With this level a cosine is a margin in spreads.
SCALE = scale_of(1.0, 1.0)  # of words and wanted pictures, which share the evidence
LEVEL = Level(location=0.0, spread=1.0, reach=5.0)


@pytest.mark.parametrize("weights", [[1.0], [2.0, 1.0], [1.0, -0.5]])
def test_the_words_keep_their_share_however_many_pictures_are_marked(weights):
    strength = np.sqrt(sum(weight**2 for weight in weights if weight > 0))
    for count in (1, 3, 50):
        assert sum(weights_of_wanted(weights, count)) == pytest.approx(strength)


def test_without_words_the_marked_pictures_are_the_query():
    assert weights_of_wanted([], 4) == [0.25] * 4


def losses_of(cosines: list[float], *, unwanted: int) -> tuple[int, float]:
    marked = Unwanted(tuple(range(10, 10 + unwanted)), np.eye(len(cosines), 4, dtype=np.float32), LEVEL)
    nearest, losses = marked.nearest(np.array(cosines, dtype=np.float32)[:, np.newaxis])
    return int(nearest[0]), float(losses[0])


@pytest.mark.parametrize(
    ("cosines", "expected"),
    [
        ([0.9], 0.0),  # below the floor
        ([-3.0], 0.0),
        ([2.0], 1.5),
        ([4.0], 4.5),
        ([9.0], 4.5),  # no more than that
        ([4.0, 3.0], 1.5 / SCALE),  # nearer by one spread than to a wanted one
        ([3.0, 4.0], 0.0),
        ([4.0, 0.5], 4.5 / SCALE),  # far from the wanted one: the floor
    ],
)
def test_a_minus_counts_above_a_floor_and_up_to_a_limit(cosines, expected):
    assert losses_of(cosines, unwanted=1) == (0, pytest.approx(expected))


def test_the_nearest_of_the_unwanted_pictures_counts():
    assert losses_of([1.5, 2.0, 0.0], unwanted=3) == (1, pytest.approx(1.5))
