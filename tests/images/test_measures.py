"""How sharp and how bright a picture is, whatever its size and contrast."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from clipsearch.images.decode import decode_image
from clipsearch.images.measures import measure
from clipsearch.paths import sample_data_folder
from clipsearch.query.filters import BLURRED_BELOW, DARK_BELOW


def astronaut() -> Image.Image:
    return decode_image(sample_data_folder() / "people" / "astronaut.jpg").image


def scaled(image: Image.Image, factor: float) -> Image.Image:
    return Image.fromarray((np.asarray(image) * factor).round().astype(np.uint8))


def test_blur_lowers_the_sharpness_step_by_step_and_the_original_is_sharp():
    image = astronaut()
    found = [measure(image.filter(ImageFilter.GaussianBlur(radius))).sharpness for radius in (0, 1, 2, 4, 8)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)
    assert found[0] >= BLURRED_BELOW + 15
    assert found[2] < BLURRED_BELOW


def test_an_edge_of_a_known_width_has_a_known_sharpness():
    for width in (1, 2, 4, 5):
        ramp = np.clip((np.arange(24) - 4) / width, 0, 1)
        across = np.tile(np.tile(50 + 150 * ramp, 4), (96, 1))
        # Both ways, as one alone may be motion.
        both = np.minimum(across, across.T)
        assert measure(Image.fromarray(both.astype(np.uint8)).convert("RGB")).sharpness == pytest.approx(
            100 / width, abs=4
        )


def test_motion_in_one_direction_is_blur():
    levels = np.asarray(astronaut(), dtype=np.float32)
    for axis in (0, 1):
        moved = np.mean([np.roll(levels, shift, axis=axis) for shift in range(12)], axis=0)
        assert measure(Image.fromarray(moved.astype(np.uint8))).sharpness < BLURRED_BELOW


def test_a_sharp_subject_before_a_blurred_background_is_sharp():
    image = astronaut()
    soft = image.filter(ImageFilter.GaussianBlur(8))
    box = (150, 50, 350, 250)
    soft.paste(image.crop(box), box)
    assert measure(soft).sharpness >= BLURRED_BELOW


def test_neither_resolution_nor_contrast_changes_much():
    image = astronaut()
    expected = measure(image)
    for factor in (2, 3, 8):
        large = image.resize((512 * factor, 512 * factor), Image.Resampling.BICUBIC)
        found = measure(large)
        assert found.sharpness == pytest.approx(expected.sharpness, abs=10)
        assert found.brightness == pytest.approx(expected.brightness, abs=1)
    assert measure(scaled(image, 0.3)).sharpness == pytest.approx(expected.sharpness, abs=12)


def test_a_box_is_measured_alone():
    image = astronaut()
    framed = Image.new("RGB", (700, 600), "white")
    framed.paste(image, (100, 40))
    assert measure(framed, (100, 40, 612, 552)) == measure(image)
    assert measure(framed).brightness > measure(image).brightness


def test_brightness_is_that_of_the_light_on_it():
    image = astronaut()
    found = [measure(scaled(image, factor)).brightness for factor in (1, 0.6, 0.3, 0.1)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 2 * DARK_BELOW > found[2]
    assert found[3] < DARK_BELOW
    assert [measure(Image.new("RGB", (40, 30), colour)).brightness for colour in ("black", "white")] == [0, 100]
    # A bright subject on black is not dark.
    subject = Image.new("RGB", (100, 100))
    subject.paste("white", (0, 0, 30, 30))
    assert measure(subject).brightness >= DARK_BELOW


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (11, 13), (3, 4000), (383, 385)])
def test_all_shapes_have_measures(size):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    for image in (noise, Image.new("RGB", size, "grey")):
        found = measure(image)
        assert all(isinstance(value, int) and 0 <= value <= 100 for value in found)
    assert found.sharpness == 0
