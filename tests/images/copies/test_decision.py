"""Which pictures are copies, and which only look alike."""

import functools
import io
import random

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from clipsearch.images.copies.decision import coarse_view, compare, find_pose, is_grey
from clipsearch.images.copies.views import make_view, pack_view, unpack_view
from clipsearch.paths import sample_data_folder
from tests.benchmarks import copies


def view_of(picture: Image.Image, kind: str = "PNG", side: int = 1536, **options):
    content = io.BytesIO()
    # Nothing but time depends on how small the file is.
    picture.save(content, kind, **({"compress_level": 0} if kind == "PNG" else {}), **options)
    return make_view(content.getvalue(), side=side)


def likeness(first: Image.Image, second: Image.Image) -> str | None:
    one, other = view_of(first), view_of(second)
    pose = find_pose(coarse_view(one), coarse_view(other))
    return None if pose is None else compare(one, other, pose)


@functools.cache
def sample(name: str) -> Image.Image:
    with Image.open(sample_data_folder() / name) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")


PHOTOGRAPHS = ["animals/fox.webp", "animals/elephant.jpg"]


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize(
    "kind", [*copies.VARIANTS, "half size, JPEG 50", "turned by 90°", "turned by 180°", "gamma 0.7"]
)
def test_a_copy_is_one(name, kind):
    photograph = sample(name)
    changed = {**copies.VARIANTS, **copies.MORE_VARIANTS}[kind](photograph, random.Random(1))
    ends = (changed, photograph) if kind == "border" else (photograph, changed)
    assert likeness(*ends) == "copy"


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("change", [copies.burst, copies.MORE_VARIANTS["mirrored"], copies.MORE_VARIANTS["caption"]])
def test_what_shows_something_of_its_own_is_no_copy(name, change):
    photograph = sample(name)
    assert likeness(photograph, change(photograph, random.Random(1))) in ("similar", None)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("size", [1.0, 2.5])
def test_a_subject_that_moved_a_little_is_no_copy(name, size):
    photograph = copies.resized(sample(name), size)
    for seed in range(2):
        moved = copies.moved_subject(photograph, random.Random(seed))
        assert likeness(photograph, copies.saved(moved, "JPEG", quality=90)) != "copy"


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_another_small_text_is_no_copy(name, share):
    photograph = sample(name)
    one, other = (copies.captioned_small(photograph, random.Random(seed)) for seed in (1, 2))
    assert likeness(one, copies.saved(copies.resized(other, share), "JPEG", quality=90)) != "copy"
    assert likeness(one, copies.saved(copies.resized(one, share), "JPEG", quality=90)) == "copy"


@pytest.mark.parametrize("kind", copies.REDUCED)
def test_pages_of_which_nothing_can_be_read_are_no_copies(kind):
    one, other = (copies.REDUCED[kind](seed) for seed in (1, 2))
    assert likeness(one, other) != "copy"
    assert likeness(copies.dense_page(1), other) != "copy"


def test_a_copy_shows_nothing_that_the_better_one_does_not():
    photograph = sample("animals/fox.webp")
    part = copies.cropped(photograph, random.Random(1), share=0.1)
    assert (likeness(photograph, part), likeness(part, photograph)) == ("copy", "similar")
    grey = photograph.convert("L").convert("RGB")
    assert (likeness(photograph, grey), likeness(grey, photograph)) == ("copy", "similar")
    assert [is_grey(view_of(each)) for each in (photograph, grey)] == [False, True]


def test_the_same_thing_in_another_colour_is_no_copy():
    photograph = sample("food/donut.png")
    red, green, blue = photograph.split()
    assert likeness(photograph, Image.merge("RGB", (blue, green, red))) != "copy"


@pytest.mark.parametrize("kind", copies.DOCUMENTS)
def test_documents_are_not_even_similar(kind):
    one, other = (copies.DOCUMENTS[kind](seed) for seed in (1, 2))
    assert likeness(one, other) is None


@pytest.mark.parametrize("kind", ["page", "dark page", "receipt", "chat", "slide"])
def test_a_document_saved_again_is_a_copy(kind):
    document = copies.DOCUMENTS[kind](1)
    assert likeness(document, copies.saved(document, "JPEG", quality=60)) == "copy"
    assert likeness(document, copies.resized(document, 0.5)) == "copy"


@functools.cache
def bill(amount: str, size: tuple[int, int], font_size: int) -> Image.Image:
    picture = Image.new("RGB", size, "white")
    draw, rng, font = ImageDraw.Draw(picture), random.Random(0), ImageFont.load_default(font_size)
    for row in range((size[1] - 100) // (2 * font_size)):
        text = f"total {amount}" if row == 12 else copies.words(rng, 9)
        draw.text((50, 50 + 2 * font_size * row), text, fill="black", font=font)
    return picture


@pytest.mark.parametrize(("size", "font"), [((827, 1169), 15), ((1654, 2339), 22)])
@pytest.mark.parametrize("other", ["113.50", "172.50"])
def test_a_page_with_another_digit_is_another_page(size, font, other):
    pages = [bill(amount, size, font) for amount in ("112.50", other)]
    assert likeness(*pages) is None
    assert likeness(pages[0], copies.saved(pages[1], "JPEG", quality=70)) is None


def test_blanks_and_what_is_nearly_blank_are_no_copies():
    assert likeness(copies.blank(1), copies.blank(1)) is None
    assert likeness(copies.almost_blank(1), copies.almost_blank(1)) is None


def test_small_pictures_are_copies_when_all_pixels_are_the_same():
    rng = np.random.default_rng(0)
    icons = [Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)) for _ in range(2)]
    assert (likeness(icons[0], icons[0]), likeness(*icons)) == ("copy", None)
    changed = icons[0].copy()
    changed.putpixel((3, 3), (0, 0, 0))
    assert likeness(icons[0], changed) is None


def test_one_of_several_frames_is_no_copy():
    photograph = sample("animals/fox.webp")
    darker = ImageEnhance.Brightness(photograph).enhance(0.5)
    still = view_of(photograph)
    pose = find_pose(coarse_view(still), coarse_view(still))
    for kind in ("TIFF", "GIF", "WEBP"):
        frames = view_of(photograph, kind, save_all=True, append_images=[darker])
        assert frames.is_sequence
        assert compare(still, frames, pose) == compare(frames, still, pose) == "similar"
    assert compare(view_of(photograph, "TIFF"), still, pose) == "copy"


def test_views_survive_the_way_between_processes():
    view = view_of(sample("animals/fox.webp"), side=200)
    assert max(view.pixels.shape) == 200
    again = unpack_view(pack_view(view))
    assert (again.pixels == view.pixels).all()
    assert (again.phash, again.format, again.is_sequence) == (view.phash, "PNG", False)
