"""Frames become scenes: alike ones are merged, and the best frame stands for each."""

import numpy as np
from PIL import Image, ImageFilter

from clipsearch.images.decode import decode_image
from clipsearch.images.films.looks import BLANK, GOOD, POOR, difference, grade, look_at
from clipsearch.images.films.scenes import SceneBuilder, make_candidate
from clipsearch.paths import sample_data_folder
from tests.support.pictures import scene


def photo() -> Image.Image:
    return decode_image(sample_data_folder() / "people" / "astronaut.jpg").image.resize((320, 240))


def build(*frames: Image.Image, max_scenes: int = 100) -> SceneBuilder:
    builder = SceneBuilder(max_scenes)
    for second, frame in enumerate(frames):
        builder.add(make_candidate(float(second), frame))
    return builder


def test_difference_is_zero_for_equal_frames_and_one_for_opposite_ones() -> None:
    black, white = (look_at(Image.new("RGB", (64, 64), colour)) for colour in ("black", "white"))
    assert difference(black, black) == 0
    assert difference(black, white) == difference(white, black) == 1
    assert difference(look_at(photo()), look_at(photo().resize((96, 72)))) < 0.05


def test_frames_with_little_to_see_have_lower_grades() -> None:
    assert grade(photo()).level == GOOD
    assert grade(photo().filter(ImageFilter.GaussianBlur(8))).level == POOR
    assert grade(photo().point(lambda level: level // 7)).level == POOR
    for colour in ("black", "white", "navy"):
        assert grade(Image.new("RGB", (320, 240), colour)).level == BLANK
    noise = np.random.default_rng(0).integers(0, 4, (240, 320, 3), dtype=np.uint8)
    assert grade(Image.fromarray(noise)).level == BLANK


def test_the_frame_of_a_scene_is_the_first_that_is_as_sharp_as_any() -> None:
    blurred = photo().filter(ImageFilter.GaussianBlur(2))
    assert build(blurred, photo(), blurred, blurred).scenes[0].best.second == 1
    (one,) = build(*[photo()] * 10).scenes
    assert (one.start_s, one.best.second, one.last_s) == (0, 0, 9)


def test_a_flash_of_black_does_not_hide_what_follows() -> None:
    black = Image.new("RGB", (320, 240))
    builder = build(black, scene(0), black, scene(1), scene(1), black)
    builder.drop_blank()
    assert [each.start_s for each in builder.scenes] == [0, 3]
    assert [each.best.second for each in builder.scenes] == [1, 3]


def test_the_most_alike_neighbours_are_merged_beyond_the_limit() -> None:
    alike = Image.blend(scene(1), scene(2), 0.25)
    differences = [difference(look_at(scene(1)), look_at(each)) for each in (scene(0), alike)]
    assert differences[0] > differences[1] > 0.24
    builder = build(scene(0), scene(1), alike, scene(3), scene(4), max_scenes=4)
    assert [each.start_s for each in builder.scenes] == [0, 1, 3, 4]
    builder = build(*[scene(number) for number in range(50)], max_scenes=1)
    assert [(each.start_s, each.last_s) for each in builder.scenes] == [(0, 49)]
