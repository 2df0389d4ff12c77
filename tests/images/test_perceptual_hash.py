import numpy as np
import pytest
from PIL import Image

from clipsearch.images.perceptual_hash import perceptual_hash, turned
from clipsearch.paths import sample_data_folder
from tests.benchmarks.copies import VARIANTS, blank, page


@pytest.fixture(scope="module")
def fox():
    with Image.open(sample_data_folder() / "animals" / "fox.webp") as opened:
        return opened.convert("RGB")


def bits_between(one: int, other: int) -> int:
    return ((one ^ other) & (1 << 64) - 1).bit_count()


@pytest.mark.parametrize("kind", ["quarter size", "JPEG quality 25", "grey", "brighter by 15 %", "filter"])
def test_a_copy_has_nearly_the_same_hash(fox, kind):
    assert bits_between(perceptual_hash(fox), perceptual_hash(VARIANTS[kind](fox, None))) <= 6


def test_hashes_are_signed_numbers_of_64_bits_and_tell_pictures_apart(fox):
    hashes = [perceptual_hash(each) for each in (fox, page(0), page(1), fox.transpose(Image.Transpose.ROTATE_90))]
    assert all(-(1 << 63) <= each < 1 << 63 for each in hashes)
    assert any(each < 0 for each in hashes)
    assert all(bits_between(one, other) > 12 for row, one in enumerate(hashes) for other in hashes[:row])


@pytest.mark.parametrize("quarters", range(5))
def test_the_hash_of_a_turned_picture_follows_from_its_own(fox, quarters):
    mine = np.array([perceptual_hash(fox)], dtype=np.int64).view(np.uint64)
    seen = perceptual_hash(fox.rotate(90 * quarters, expand=True))
    assert bits_between(int(turned(mine, quarters)[0]), seen) <= 3


def test_one_colour_has_no_hash():
    assert [perceptual_hash(blank(seed)) for seed in range(8)] == [0] * 8
    assert turned(np.zeros(1, np.uint64), 1).tolist() == [0]


def test_only_the_box_counts(fox):
    framed = Image.new("RGB", (fox.width + 9, fox.height + 5), "red")
    framed.paste(fox, (9, 5))
    assert bits_between(perceptual_hash(framed, (9, 5, *framed.size)), perceptual_hash(fox)) <= 3
