"""PNM of any highest value: the same as Pillow decodes, and truncated ones too."""

import io

import numpy as np
import pytest
from PIL import Image

from clipsearch.images.decode import decode_image


@pytest.mark.parametrize("kind", ["P5", "P6"])
@pytest.mark.parametrize("highest", [1, 3, 100, 254, 256, 1000, 4095, 65534])
def test_values_are_scaled_as_pillow_scales_them(kind: str, highest: int) -> None:
    values = np.random.default_rng(highest).integers(0, highest + 1, (7, 5, 3 if kind == "P6" else 1))
    stored = values.astype("u1" if highest < 256 else ">u2").tobytes()
    content = f"{kind}\n5 7\n{highest}\n".encode() + stored
    found = np.asarray(decode_image(content).image)
    wanted = np.asarray(Image.open(io.BytesIO(content)), dtype=float).reshape(7, 5, -1)
    if highest > 255 and kind == "P5":  # Pillow gives sixteen bits
        wanted = wanted / 257
    np.testing.assert_allclose(found, np.broadcast_to(wanted, found.shape), atol=0.51)


def test_values_above_the_highest_are_white() -> None:
    assert decode_image(b"P6 1 1 100\n" + bytes([200, 100, 50])).image.getpixel((0, 0)) == (255, 255, 128)


def test_strips_give_the_same_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"P6 30 40 200\n" + np.random.default_rng(1).integers(0, 201, 3600).astype(np.uint8).tobytes()
    whole = np.asarray(decode_image(content).image)
    monkeypatch.setattr("clipsearch.images.pnm._STRIP_BYTES", 200)
    np.testing.assert_array_equal(np.asarray(decode_image(content).image), whole)


def test_a_truncated_one_keeps_its_rows() -> None:
    content = b"P6 10 100 200\n" + bytes([100]) * 3000
    decoded = decode_image(content[:-500])
    assert decoded.metadata.decoded_share == pytest.approx(0.83, abs=0.02)
    assert decoded.image.getpixel((5, 50)) == (128, 128, 128)
