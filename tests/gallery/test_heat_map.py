"""Where in a picture words are found."""

import contextlib
import json
import os
import socket
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from PIL import Image

from clipsearch import Catalog, QueryError, draw_heat_map
from clipsearch.cli import run as command_line
from clipsearch.encoders.load import load_encoder
from clipsearch.gallery.heat_map import make_heat_map, overlay
from clipsearch.images.decode import decode_image
from clipsearch.images.preprocess import Preprocess
from clipsearch.paths import sample_data_folder
from tests.support.command_line import run
from tests.support.fakes import ColourEncoder

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
    assert (found.scores.dtype, found.scores.shape) == (np.float32, (8, 8))
    rows, columns = np.s_[4 * (place // 2) : 4 * (place // 2) + 4], np.s_[4 * (place % 2) : 4 * (place % 2) + 4]
    assert found.scores[rows, columns].max() == found.scores.max() > found.scores.mean()


def test_each_score_is_the_best_of_each_size_that_covers_the_place():
    encoder = FineColours()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (160, 160, 3), dtype=np.uint8))
    found = heat_of(image, "red", encoder)
    red = encoder.encode_texts(["red"])[0]

    def score(box):
        return float(encoder.encode_images(np.array(image.resize((64, 64), 2, box=box))[np.newaxis])[0] @ red)

    def best(row, column, side):
        corners = ((top, left) for top in range(8 - side + 1) for left in range(8 - side + 1))
        return max(
            score((20 * left, 20 * top, 20 * (left + side), 20 * (top + side)))
            for top, left in corners
            if top <= row < top + side and left <= column < left + side
        )

    assert found.score == pytest.approx(score((0, 0, 160, 160)), abs=1e-3)
    for row, column in ((0, 0), (2, 5), (7, 3)):
        expected = (2 * best(row, column, 3) + best(row, column, 5)) / 3
        assert found.scores[row, column] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("size", "steps"),
    [((300, 300), (8, 8)), ((600, 300), (8, 16)), ((300, 450), (12, 8)), ((3000, 30), (8, 16)), ((1, 1), (8, 8))],
)
def test_the_map_covers_all_of_the_picture_whatever_its_shape(size, steps):
    found = heat_of(Image.new("RGB", size, "blue"), "red", FineColours())
    assert found.scores.shape == steps


def test_what_lies_outside_of_the_middle_is_found_too():
    image = Image.new("RGB", (320, 80), "black")
    image.paste("red", (290, 0, 320, 80))
    left, top, right, bottom = heat_of(image, "red", FineColours()).box
    assert 11 / 16 <= left < 15 / 16 and (top, right, bottom) == (0, 1, 1)


@pytest.mark.parametrize("side", [60, 100, 200])
def test_what_is_larger_than_a_window_is_covered_and_not_ringed(side):
    """The middle of a large thing is as good as its edge, and the box grows with it."""
    image = Image.new("RGB", (320, 320), "blue")
    image.paste("red", (60, 60, 60 + side, 60 + side))
    found = heat_of(image, "red", FineColours())
    left, top, right, bottom = found.box
    centre = (60 + side / 2) / 320
    assert found.peak == pytest.approx((centre, centre), abs=0.08)
    assert left <= centre <= right and top <= centre <= bottom
    assert max(right - left, bottom - top) == pytest.approx(max(side / 320, 3 / 8), abs=0.3)
    row = int(8 * centre)
    assert found.scores[row, row] == found.scores.max()


def test_of_two_places_the_best_one_is_boxed():
    image = Image.new("RGB", (320, 320), "black")
    image.paste("red", (20, 20, 100, 100))
    image.paste((200, 60, 60), (220, 220, 300, 300))
    left, top, right, bottom = heat_of(image, "red", FineColours()).box
    assert max(left, top) == 0 and max(right, bottom) < 0.6


def test_the_box_of_a_map_of_nothing_is_the_whole_picture():
    found = heat_of(Image.new("RGB", (90, 70), "white"), "red", FineColours())
    assert (found.box, found.peak) == ((0, 0, 1, 1), pytest.approx((0.5, 0.5)))


def test_the_drawing_is_hot_at_the_peak():
    image = Image.new("RGB", (320, 80), "black")
    image.paste("red", (220, 0, 250, 80))
    found = heat_of(image, "red", FineColours())
    drawn = draw_heat_map(found, image)
    assert (drawn.mode, drawn.size) == ("RGB", image.size)
    layer = np.asarray(overlay(found, 320, 80)).astype(int)
    x, y = found.peak
    hot, cold = layer[int(80 * y), int(320 * x)], layer[40, 60]
    assert hot[3] > cold[3] and hot[:3].sum() > cold[:3].sum()


def test_a_map_of_nothing_is_cold_everywhere():
    layer = np.asarray(overlay(heat_of(Image.new("RGB", (90, 70), "white"), "red", FineColours()), 90, 70))
    assert len(np.unique(layer.reshape(-1, 4), axis=0)) == 1


def test_the_starter_points_at_the_right_picture_of_four(monkeypatch):
    encoder = load_encoder("starter")
    known: dict[bytes, object] = {}  # the words of a page have the same windows

    def encode_once(crops, encode=encoder.encode_images):
        key = blake3(crops.tobytes()).digest()
        if key not in known:
            known[key] = encode(crops)
        return known[key]

    monkeypatch.setattr(encoder, "encode_images", encode_once)
    pages = [
        {"food/pizza.jpg": "a slice of pizza", "travel/bicycle.avif": "a bicycle",
         "animals/elephant.jpg": "an elephant", "home/umbrella.png": "an umbrella"},
        {"travel/rocket.jpg": "a rocket", "animals/cat.jpg": "a cat", "travel/bus.jpg": "a bus",
         "food/coffee.jpg": "a cup of coffee"},
    ]  # fmt: skip
    right = 0
    for files in pages:
        page = Image.new("RGB", (520, 520))
        for place, name in enumerate(files):
            image = decode_image(SAMPLES / name, needed_side=260).image.resize((260, 260))
            page.paste(image, (place % 2 * 260, place // 2 * 260))
        for place, words in enumerate(files.values()):
            x, y = heat_of(page, words, encoder).peak
            right += (x > 0.5, y > 0.5) == (place % 2 == 1, place // 2 == 1)
    assert right >= 7  # of 8; by chance 2


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
        assert catalog.heat_map(quarters("red", "black", "black", "black"), "red").words == "red"
        with pytest.raises(QueryError):
            catalog.heat_map(quarters("red", "black", "black", "black"), "  ")


# ------------------------------------------------------------------ the command


def explain(*arguments, code=0):
    return run("explain", *arguments, "--model", "starter", code=code)


def test_the_command_says_where_and_draws_a_map(tmp_path):
    found = explain(SAMPLES / "people" / "photographer.jpg", "a camera", "--out", tmp_path / "map.png")
    assert "% from the left" in found.stdout and found.stdout.count("\n") == 1
    with Image.open(tmp_path / "map.png") as drawn:
        assert drawn.width >= 400
    again = explain(SAMPLES / "people" / "photographer.jpg", "a camera", "--out", tmp_path / "map.png", code=2)
    assert again.stdout == "" and "--force" in again.stderr
    explain(SAMPLES / "food" / "donut.png", "a hole", "--out", tmp_path / "map.png", "--force")
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]


@pytest.mark.skipif(os.name != "posix", reason="pipes and links of POSIX")
@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "dead link", "link to a pipe"])
def test_output_replaces_regular_files_alone(kind, tmp_path, catalog_of_one, capfd):
    pytest.importorskip("pyarrow")
    words = {"pipe": "a named pipe", "socket": "a socket", "folder": "a directory"}
    for name in ("map.png", "sheet.html", "export.parquet", "backup.sqlite3"):
        out = tmp_path / name
        match kind:
            case "pipe":
                os.mkfifo(out)
            case "socket":
                with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(tmp_path):
                    made.bind(name)
            case "folder":
                if name == "export.parquet":  # an export may be a folder of any name
                    continue
                out.mkdir()
            case "dead link":
                out.symlink_to(tmp_path / "none.png")
            case "link to a pipe":
                os.mkfifo(tmp_path / f"pipe.{name}")
                out.symlink_to(tmp_path / f"pipe.{name}")
        before = out.lstat().st_ino
        picture = str(catalog_of_one.parent / "red.png")
        arguments = {
            "map.png": ["explain", picture, "red", "--out", str(out), "--force"],
            "sheet.html": ["query", "red", "--html", str(out)],
            "export.parquet": ["export", str(out), "--force"],
            "backup.sqlite3": ["backup", str(out), "--force"],
        }[name]
        code = command_line([*arguments, "--catalog", str(catalog_of_one)])
        said = capfd.readouterr()
        assert (code, said.out, said.err.count("\n")) == (2, "", 1), (name, said)
        if not out.is_symlink():
            assert f"is {words[kind]}, not a file" in said.err
        assert out.lstat().st_ino == before and "--force" not in said.err


@pytest.fixture
def catalog_of_one(tmp_path, colours) -> Path:
    Image.new("RGB", (16, 12), "red").save(tmp_path / "red.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(tmp_path)
    return tmp_path / "catalog"


def test_the_command_prints_json():
    said = json.loads(explain(SAMPLES / "food" / "donut.png", "a donut", "--json").stdout)
    assert set(said) == {"image", "model", "words", "score", "level", "peak", "box", "scores"}
    assert len(said["scores"]) == len(said["scores"][0])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nothing.jpg", "a cat"], 2, "does not exist"),
        ([SAMPLES / "food" / "donut.png", " "], 2, "empty"),
        ([SAMPLES / "food" / "donut.png", "x", "--out", "map.txt"], 2, "call it map.txt.png"),
        ([SAMPLES / "food" / "donut.png", "x", "--out", "/no/such/folder/map.png"], 2, "no folder"),
        ([SAMPLES / "LICENSES.md", "x"], 1, "can't read the picture"),
    ],
)
def test_the_command_refuses_with_one_line(arguments, code, words):
    found = explain(*arguments, code=code)
    assert found.stdout == ""
    assert words in found.stderr and found.stderr.count("\n") == 1
