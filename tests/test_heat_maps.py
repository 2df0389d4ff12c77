"""Where in a picture words are found."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog, QueryError, draw_heat_map
from clipsearch.encoders.load import load_encoder
from clipsearch.heat_maps import covered_box, make_heat_map
from clipsearch.heat_pictures import overlay
from clipsearch.images.decode import decode_image
from clipsearch.preprocess import Preprocess
from clipsearch.settings import sample_data_folder
from tests.fakes import ColourEncoder

SAMPLES = sample_data_folder()


def quarters(*colours, side=80):
    image = Image.new("RGB", (2 * side, 2 * side))
    for place, colour in enumerate(colours):
        image.paste(colour, (place % 2 * side, place // 2 * side, (place % 2 + 1) * side, (place // 2 + 1) * side))
    return image


class FineColours(ColourEncoder):
    preprocess = Preprocess(64, 64, 64, 2, 1 / 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def heat_of(image, words, encoder):
    return make_heat_map(image, words, encoder.encode_texts([words])[0], encoder=encoder)


@pytest.mark.parametrize("place", range(4))
def test_the_place_of_a_colour_is_found(place):
    colours = ["black"] * 4
    colours[place] = "red"
    found = heat_of(quarters(*colours), "red", FineColours())
    x, y = found.peak
    assert (x > 0.5, y > 0.5) == (place % 2 == 1, place // 2 == 1)
    assert found.scores.dtype == np.float32 and found.scores.shape == (8, 8)
    rows, columns = np.s_[4 * (place // 2) : 4 * (place // 2) + 4], np.s_[4 * (place % 2) : 4 * (place % 2) + 4]
    inside = found.scores[rows, columns].mean()
    assert inside > found.scores.mean() and found.scores[rows, columns].max() == found.scores.max()


def test_the_score_is_that_of_the_whole_picture():
    encoder = FineColours()
    image = quarters("red", "blue", "blue", "red")
    crop = np.asarray(image.resize((64, 64), 2))[np.newaxis]
    found = heat_of(image, "red", encoder)
    assert found.score == pytest.approx(
        float(encoder.encode_images(crop)[0] @ encoder.encode_texts(["red"])[0]), abs=1e-3
    )


CLIP = Preprocess(224, 224, 224, 3, 1 / 255, (0.0,) * 3, (1.0,) * 3)


@pytest.mark.parametrize(
    ("size", "spec", "box"),
    [
        ((300, 300), CLIP, (0, 0, 1, 1)),
        ((600, 300), CLIP, (0.25, 0, 0.75, 1)),
        ((300, 600), CLIP, (0, 0.25, 1, 0.75)),
        ((600, 300), Preprocess(224, 224, None, 3, 1 / 255, (0.0,) * 3, (1.0,) * 3), (0, 0, 1, 1)),
        ((400, 400), Preprocess(224, 224, 256, 3, 1 / 255, (0.0,) * 3, (1.0,) * 3), (0.0625, 0.0625, 0.9375, 0.9375)),
    ],
)
def test_the_map_covers_what_the_model_sees(size, spec, box):
    assert covered_box(*size, spec) == pytest.approx(box)


def test_the_peak_of_a_wide_picture_lies_where_it_is_in_all_of_it():
    image = Image.new("RGB", (320, 80), "black")
    image.paste("red", (180, 0, 200, 80))  # right of the middle, in the centre that the model sees
    x, _ = heat_of(image, "red", FineColours()).peak
    assert 0.5 < x < 0.63


def test_the_drawing_is_hot_at_the_peak_and_grey_where_nothing_was_seen():
    image = Image.new("RGB", (320, 80), "black")
    image.paste("red", (180, 0, 200, 80))
    found = heat_of(image, "red", FineColours())
    drawn = draw_heat_map(found, image)
    assert (drawn.mode, drawn.size) == ("RGB", image.size)
    layer = np.asarray(overlay(found, 320, 80))
    assert tuple(layer[40, 5]) == (90, 90, 90, 150)
    x, y = found.peak
    assert layer[int(80 * y), int(320 * x)][3] > layer[int(80 * y), 125][3]
    assert layer[int(80 * y), int(320 * x)][:3].sum() > layer[int(80 * y), 125][:3].sum()


def test_a_map_of_nothing_is_cold_everywhere():
    layer = np.asarray(overlay(heat_of(Image.new("RGB", (90, 70), "white"), "red", FineColours()), 90, 70))
    assert len(np.unique(layer[5:65, 15:75].reshape(-1, 4), axis=0)) == 1


def test_the_starter_points_at_the_right_picture_of_four():
    encoder = load_encoder("starter")
    files = ["food/pizza.jpg", "travel/bicycle.avif", "animals/elephant.jpg", "home/umbrella.png"]
    page = Image.new("RGB", (520, 520))
    for place, name in enumerate(files):
        page.paste(
            decode_image(SAMPLES / name, needed_side=260).image.resize((260, 260)), (place % 2 * 260, place // 2 * 260)
        )
    for place, words in enumerate(["a slice of pizza", "a bicycle", "an elephant", "an umbrella"]):
        x, y = heat_of(page, words, encoder).peak
        assert (x > 0.5, y > 0.5) == (place % 2 == 1, place // 2 == 1), words


def test_a_picture_that_lies_on_its_side_is_explained_upright(tmp_path):
    image = quarters("red", "black", "black", "black")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right: the upper left goes to the upper right
    image.save(tmp_path / "x.png", exif=exif)
    x, y = heat_of(tmp_path / "x.png", "red", FineColours()).peak
    assert x > 0.5 > y


@pytest.mark.usefixtures("colours")
def test_a_catalog_explains_with_its_model(tmp_path):
    with Catalog.open(tmp_path / "c", model="colours", create=True) as catalog:
        assert catalog.explain(quarters("red", "black", "black", "black"), "red").words == "red"
        with pytest.raises(QueryError):
            catalog.explain(quarters("red", "black", "black", "black"), "  ")


# ------------------------------------------------------------------ the command


def run(*arguments):
    command = [sys.executable, "-m", "clipsearch", "explain", *map(str, arguments), "--model", "starter"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_command_says_where_and_draws_a_map(tmp_path):
    found = run(SAMPLES / "people" / "photographer.jpg", "a camera", "--out", tmp_path / "map.png")
    assert found.returncode == 0
    assert "% from the left" in found.stdout and found.stdout.count("\n") == 1
    with Image.open(tmp_path / "map.png") as drawn:
        assert drawn.width >= 400
    again = run(SAMPLES / "people" / "photographer.jpg", "a camera", "--out", tmp_path / "map.png")
    assert (again.returncode, again.stdout) == (2, "") and "--force" in again.stderr
    assert run(SAMPLES / "food" / "donut.png", "a hole", "--out", tmp_path / "map.png", "--force").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]


def test_the_command_prints_json():
    said = json.loads(run(SAMPLES / "food" / "donut.png", "a donut", "--json").stdout)
    assert set(said) == {"image", "model", "words", "score", "peak", "box", "scores"}
    assert len(said["scores"]) == len(said["scores"][0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.jpg", "a cat"], "no picture"),
        ([SAMPLES / "food" / "donut.png", " "], "empty"),
        ([SAMPLES / "food" / "donut.png", "x", "--out", "map.txt"], "call it map.txt.png"),
        ([SAMPLES / "food" / "donut.png", "x", "--out", "/no/such/folder/map.png"], "no folder"),
        ([SAMPLES / "LICENSES.md", "x"], "can't read the picture"),
    ],
)
def test_the_command_refuses_with_one_line(arguments, words):
    found = run(*arguments)
    assert found.returncode in (1, 2) and found.stdout == ""
    assert words in found.stderr and found.stderr.count("\n") == 1
