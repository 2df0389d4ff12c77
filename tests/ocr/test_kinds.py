"""What a picture with text is told to be, and the measures that tell it."""

import unicodedata

import numpy as np
import pytest
from PIL import Image

from clipsearch.formats import TEXT_KINDS
from clipsearch.ocr.kinds import LABELS, TextPicture, kind_of, measures_of
from clipsearch.ocr.lines import TextLine
from clipsearch.ocr.look import look_of

NOTHING = np.zeros(len(LABELS))


def lines(*texts: str, height: float = 0.02) -> list[TextLine]:
    return [TextLine(text, 0.98, (0.1, 0.03 * row, 0.9, 0.03 * row + height)) for row, text in enumerate(texts)]


def relevant(**labels: float) -> np.ndarray:
    """Relevances of labels, by their words joined by "_"."""
    return np.array([labels.get(each.replace(" ", "_"), 0.0) for each in LABELS])


def page(ground: str = "white", size: tuple[int, int] = (900, 1270)) -> Image.Image:
    """A scan: paper with grain."""
    grain = np.random.default_rng(0).normal(0, 6, (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.asarray(Image.new("RGB", size, ground)) - abs(grain), 0, 255).astype(np.uint8))


def test_the_look_is_measured():
    flat, noise = Image.new("RGB", (200, 100), (250, 250, 250)), np.random.default_rng(0)
    grain = Image.fromarray(noise.integers(0, 255, (100, 200, 3), dtype=np.uint8))
    found, other = look_of(flat, lines("a", "b")), look_of(grain, lines("a"))
    assert (found.flat, found.even, found.commonest, found.bright, found.dark) == (1, 1, 1, 1, 0)
    assert found.lines == 2 and found.area == pytest.approx(2 * 0.8 * 0.02) and found.confidence == pytest.approx(0.98)
    assert found.luma == pytest.approx(250 / 255, abs=0.001) and found.contrast == pytest.approx(0, abs=1e-6)
    assert other.flat < 0.01 and other.even < 0.1 and other.commonest < 0.05 and other.saturation > 0.1
    assert other.height == pytest.approx(0.01)
    assert look_of(Image.new("RGB", (1, 1)), lines("a")).flat == 0


@pytest.mark.parametrize(
    "name",
    [
        "Screenshot 2024-05-01 at 10.00.00.png",
        "Screenshot_20240501-100000_Maps.jpg",
        "Screen Shot 2019-05-01.png",
        "Bildschirmfoto 2024.png",
        "Capture d’écran 2024.png",
        "Captura de pantalla 2024.png",
        "屏幕截图 2024.png",
        "スクリーンショット 2024.png",
    ],
)
def test_names_that_systems_give_tell_screenshots(name):
    assert kind_of(TextPicture((), None, 10, 10, name=name), None) == "screenshot"
    assert kind_of(TextPicture((), None, 10, 10, name=f"my {name}"), None) is None
    assert kind_of(TextPicture((), None, 10, 10, has_camera=True, name=name), None) is None


@pytest.mark.parametrize("name", ["screenshotter (band) live.jpg", "Schermatari.png", "Screenshots of my cat.jpg"])
def test_names_that_only_begin_like_that_tell_nothing(name):
    assert kind_of(TextPicture((), None, 10, 10, name=name), None) is None


@pytest.mark.parametrize("name", ["Capture d’écran 2024.png", "Skärmavbild 2024.png", "스크린샷 2024.png"])
def test_names_in_decomposed_letters_are_known(name):
    for form in ("NFC", "NFD"):
        assert kind_of(TextPicture((), None, 10, 10, name=unicodedata.normalize(form, name)), None) == "screenshot"


def test_files_of_pages_with_text_are_documents():
    text = lines("Dear Sir", "we thank you for your letter")
    assert kind_of(TextPicture(text, None, 10, 10, has_pages=True), None) == "document"
    assert kind_of(TextPicture((), None, 10, 10, has_pages=True), None) is None
    assert kind_of(TextPicture(text, None, 10, 10), None) is None


def test_receipts_are_told_by_prices():
    image = page("#f0ede8", (600, 1100))
    items = [f"Coffee {number}.50" for number in range(1, 12)]
    read = lines("Corner Shop", "High Street 7", *items, "Total 71.50", "Cash 80.00", "Change 8.50", "Thank you")
    known = relevant(document=0.9, a_photo_of_a_page_with_text=0.9, handwritten_notes_on_paper=0.8)
    assert kind_of(TextPicture(read, look_of(image, read), *image.size), known) == "receipt"
    receipt = TextPicture(read, look_of(image, read), *image.size, has_pages=True)
    assert kind_of(receipt, known) == "receipt"
    words = lines(*(f"a line of words that goes on and on {number}" for number in range(30)))
    assert kind_of(TextPicture(words, look_of(page(), words), 900, 1270), known) == "document"


def test_a_screenshot_comes_from_no_camera():
    image = Image.new("RGB", (1080, 2220), (24, 24, 28))
    read = lines("10:42", "Settings", "Network and internet", "Connected devices", "Apps", "Battery", "Display")
    known = relevant(screenshot=0.95, a_screenshot_of_a_web_page=0.6)
    picture = TextPicture(read, look_of(image, read), *image.size)
    assert kind_of(picture, known) == "screenshot"
    camera = TextPicture(read, look_of(image, read), *image.size, has_camera=True)
    assert kind_of(camera, known) is None


def test_a_photograph_with_a_sign_is_none_of_them():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8))
    read = [TextLine("STOP", 0.99, (0.4, 0.2, 0.6, 0.3))]
    known = relevant(photo=0.3)
    assert kind_of(TextPicture(read, look_of(image, read), *image.size), known) is None


def test_measures_are_finite_for_all_sizes_and_without_letters():
    for size in ((1, 1), (2000, 10), (10, 2000)):
        image = Image.new("RGB", size)
        for read in (lines(""), lines("12.50 99,00"), lines("你好世界")):
            found = measures_of(TextPicture(read, look_of(image, read), *size), NOTHING)
            assert np.isfinite(list(found.values())).all() and kind_of(
                TextPicture(read, look_of(image, read), *size), NOTHING
            ) in (None, *TEXT_KINDS)
    with pytest.raises(ValueError, match="no line was found"):
        measures_of(TextPicture((), None, 1, 1), NOTHING)
