"""Tones of PQ and HLG become those of a photograph."""

import numpy as np
import pytest
from numpy.typing import NDArray

from clipsearch.images.films.hdr import HLG, PQ, to_standard_range

WHITE = 203.0  # cd/m², Source: ITU-R BT.2408


def signal_of(linear: NDArray[np.floating], transfer: int) -> NDArray[np.floating]:
    """Encode greys, as shares of diffuse white: the formulas of the standards, the other way round."""
    if transfer == PQ:
        power = (linear * WHITE / 10_000) ** (2610 / 16384)
        return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    scene = (linear * WHITE / 1000) ** (1 / 1.2)
    a, c = 0.17883277, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + c)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_greys_below_white_keep_their_tones_and_highlights_their_order(transfer: int) -> None:
    shares = np.array([0.0, 0.02, 0.1, 0.3, 0.5, 1.0, 2.0, 4.0])
    signal = np.rint(65535 * np.repeat(signal_of(shares, transfer)[None, :, None], 3, axis=2)).astype(np.uint16)
    shown = to_standard_range(signal, transfer)[0].astype(int)
    assert np.ptp(shown, axis=1).max() <= 1  # still grey
    expected = 255 * (1.055 * shares[1:5] ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(shown[1:5, 1], expected, atol=3)
    assert shown[0, 1] == 0
    assert 215 <= shown[5, 1] < shown[6, 1] < shown[7, 1] <= 255


def test_colours_stay_as_saturated_as_they_were() -> None:
    # The red of BT.709, in BT.2020's primaries. Source: ITU-R BT.2087-0.
    red = np.array([0.6274, 0.0691, 0.0164]) * 0.5
    signal = np.rint(65535 * signal_of(red, PQ)).astype(np.uint16)[None, None]
    shown = to_standard_range(signal, PQ)[0, 0]
    assert shown[0] > 180
    assert max(shown[1:]) < 25
