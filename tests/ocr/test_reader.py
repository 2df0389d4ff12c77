"""Text that is read in made pictures, by the models of the package."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from clipsearch.errors import MissingExtraError, ModelError
from clipsearch.images.decode import decode_image
from clipsearch.ocr import models
from clipsearch.ocr.lines import TextLine
from clipsearch.ocr.pieces import fit
from clipsearch.ocr.reader import TextReader, _likely
from clipsearch.paths import sample_data_folder

needs_rapidocr = pytest.mark.skipif(
    importlib.util.find_spec("rapidocr") is None, reason="rapidocr is not installed: pip install -e '.[ocr]'"
)
BOX = (0.1, 0.2, 0.3, 0.4)


@pytest.fixture(scope="module")
def reader():
    """Reads the lines of a picture."""
    loaded = TextReader(models.bundled_models())
    return lambda image: loaded.read(image).lines


def written(*lines: str, size: tuple[int, int] = (800, 400), height: int = 36) -> Image.Image:
    image = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(height)
    for number, line in enumerate(lines):
        draw.text((30, 30 + 2 * height * number), line, "black", font)
    return image


def said(lines) -> str:
    return " ".join(line.text for line in lines)


@needs_rapidocr
def test_lines_are_read_with_their_boxes_from_top_to_bottom(reader):
    lines = reader(written("Invoice number 4711", "Total amount 99.50", "Thank you"))
    assert [line.text for line in lines] == ["Invoice number 4711", "Total amount 99.50", "Thank you"]
    assert all(line.confidence > 0.9 and line.script == "latin" and line.page is None for line in lines)
    tops = [line.box[1] for line in lines]
    assert tops == sorted(tops)
    left, top, right, bottom = lines[0].box
    assert left == pytest.approx(30 / 800, abs=0.02) and 0.03 < top < bottom < 0.25 and 0.3 < right < 0.75


@needs_rapidocr
@pytest.mark.parametrize(
    "turn",
    [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270],
    ids=lambda each: each.name,
)
def test_turned_text_is_read(reader, turn):
    lines = reader(written("Platform seven", "Exit to the museum").transpose(turn))
    assert {"Platform", "seven", "museum"} <= set(said(lines).split())


@needs_rapidocr
@pytest.mark.parametrize(
    "turn", [None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270], ids=str
)
def test_short_lines_are_turned_with_the_rest_of_the_page(reader, turn):
    words = ["SOS", "noon", "total", "12.50", "mom", "suns", "pod", "99.66", "nous", "exit", "HOH", "OXO"]
    page = [f"{word} and {other}" for word, other in zip(words, reversed(words), strict=True)] + words
    image = written(*page, size=(900, 24 * 68 + 60), height=34)
    found = said(reader(image if turn is None else image.transpose(turn))).split()
    expected = " ".join(page).split()
    assert len(set(expected) - set(found)) <= 1 and found.count("and") >= len(words) - 3


@needs_rapidocr
@pytest.mark.parametrize("ground", ["black", "grey"])
def test_the_colours_do_not_matter(reader, ground):
    image = Image.new("RGB", (700, 160), ground)
    ImageDraw.Draw(image).text((30, 50), "Closed on Monday", "yellow", ImageFont.load_default(44))
    assert said(reader(image)) == "Closed on Monday"


@needs_rapidocr
def test_pictures_without_text_have_none(reader):
    photos = sorted((sample_data_folder() / "animals").iterdir())
    assert photos and [path.name for path in photos if reader(decode_image(path).image.convert("RGB"))] == []


@needs_rapidocr
@pytest.mark.parametrize("size", [(1, 1), (3, 500), (2000, 8), (8, 2000), (33, 31), (1999, 2000)], ids=str)
def test_pictures_of_all_sizes_are_looked_at(reader, size):
    noise = np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    for image in (Image.new("RGB", size, "white"), Image.fromarray(noise)):
        assert all(0 <= edge <= 1 for line in reader(image) for edge in line.box)


@needs_rapidocr
@pytest.mark.parametrize("turn", [None, Image.Transpose.ROTATE_90], ids=["tall", "wide"])
def test_long_pictures_are_read_in_pieces_without_doubles(reader, turn):
    lines = [f"Message number {number + 100}" for number in range(70)]
    image = written(*lines, size=(900, 30 + 2 * 60 * 70), height=60)
    shown = fit(image if turn is None else image.transpose(turn))
    found = [line.text for line in reader(shown)]
    assert sorted(found) == sorted(lines)
    if turn is None:
        assert found == lines


def test_a_picture_is_scaled_down_to_what_is_read_of_it():
    assert fit(Image.new("L", (4000, 3000))).size == (2000, 1500)
    assert fit(Image.new("L", (300, 200))).size == (300, 200)
    assert fit(Image.new("L", (1080, 12_000))).size == (800, 8889)
    assert fit(Image.new("L", (10, 60_000))).size[1] == 40_000


@needs_rapidocr
def test_the_look_is_that_of_pictures_with_lines():
    loaded = TextReader(models.bundled_models())
    assert loaded.read(Image.new("RGB", (300, 200), "white")) == ((), None)
    lines, look = loaded.read(written("Invoice number 4711", "Total amount 99.50"))
    assert len(lines) == look.lines == 2 and look.flat > 0.9 and look.confidence > 0.9


@needs_rapidocr
def test_a_picture_full_of_text_ends(reader):
    lines = reader(written(*["word " * 30] * 40, size=(2000, 2000), height=22))
    assert said(lines).count("word") > 800


def line(text, confidence):
    return TextLine(text, confidence, BOX)


def test_of_few_lines_only_sure_words_are_text():
    doubtful = [line("Sale", 0.85), line("O", 0.99), line("300", 0.99), line("AR", 0.99), line("iS", 0.95)]
    assert list(_likely(doubtful)) == []
    sure = [line("RE16", 0.91), line("出口", 0.95), line("EPSON", 0.99)]
    assert list(_likely([*doubtful, *sure])) == sure


def test_among_many_sure_letters_fairly_sure_lines_and_numbers_are_text():
    lines = [line("The total amount of this invoice", 0.99), line("99.50", 0.7), line("7", 0.95), line("smudge", 0.5)]
    assert list(_likely(lines)) == lines[:3]


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"rapidocr, which is not installed: pip install 'clipsearch\[ocr\]'"):
        models.bundled_models()
    found = importlib.util.spec_from_file_location("rapidocr", tmp_path / "__init__.py")
    monkeypatch.setattr(models, "find_spec", lambda name: found)
    with pytest.raises(ModelError, match=r"lacks PP-OCRv6_det_small\.onnx"):
        models.bundled_models()


@needs_rapidocr
@pytest.mark.parametrize("part", ["detector", "recognisers", "turns"])
def test_a_damaged_model_is_an_error_in_one_line(tmp_path, part):
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no model" * 100)
    value = (models.Recogniser(damaged),) if part == "recognisers" else damaged
    broken = replace(models.bundled_models(), **{part: value})
    with pytest.raises(ModelError, match=r"can't load the model .*damaged.onnx") as caught:
        TextReader(broken)
    assert "\n" not in str(caught.value)
