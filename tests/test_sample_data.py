"""The sample folder is complete, licensed, and has the kinds of files people have. No model is needed."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageOps

NOT_PICTURES = {"captions.jsonl", "LICENSES.md"}


@pytest.fixture(scope="module", autouse=True)
def heif_opener() -> None:
    pillow_heif.register_heif_opener()


@pytest.fixture(scope="module")
def folder(repository: Path) -> Path:
    return repository / "sample_data"


@pytest.fixture(scope="module")
def pictures(folder: Path) -> list[str]:
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(file for file in files if file not in NOT_PICTURES)


@pytest.fixture(scope="module")
def captions(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_picture_has_exactly_one_caption(captions: list[dict[str, str]], pictures: list[str]) -> None:
    assert sorted(row["image"] for row in captions) == pictures
    assert all(set(row) == {"image", "caption"} for row in captions)


def test_captions_are_distinct_english_phrases(captions: list[dict[str, str]]) -> None:
    texts = [row["caption"] for row in captions]
    assert len(set(texts)) == len(texts)
    assert all(re.fullmatch(r"[A-Z][A-Za-z ]+\.", text) for text in texts)


def test_licences_name_every_picture_once(folder: Path, pictures: list[str]) -> None:
    page = (folder / "LICENSES.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert sorted(named) == pictures


def test_licences_are_the_allowed_ones_with_their_terms(folder: Path) -> None:
    page = (folder / "LICENSES.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert {row[3] for row in rows} == {"MIT", "CC0 1.0", "CC BY 2.0", "public domain"}
    assert all(len(row) == 5 and all(row) for row in rows)
    assert "Permission is hereby granted" in page
    assert "https://creativecommons.org/licenses/by/2.0/" in page


def test_folder_is_small_and_nested(folder: Path, pictures: list[str]) -> None:
    assert 35 <= len(pictures) <= 50
    assert sum((folder / picture).stat().st_size for picture in pictures) < 2_500_000
    assert len({Path(picture).parent for picture in pictures}) >= 5


def test_every_picture_decodes_and_is_at_most_512_pixels(folder: Path, pictures: list[str]) -> None:
    for picture in pictures:
        with Image.open(folder / picture) as opened:
            opened.load()
            assert min(opened.size) >= 200, picture
            assert max(opened.size) <= 512, picture


def test_suffix_says_the_format(folder: Path, pictures: list[str]) -> None:
    formats = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".avif": "AVIF", ".heic": "HEIF"}
    seen = Counter()
    for picture in pictures:
        with Image.open(folder / picture) as opened:
            assert opened.format == formats[Path(picture).suffix], picture
            seen[opened.format] += 1
    assert set(seen) == set(formats.values())
    assert seen["HEIF"] == 1


def difference_hash(picture: Image.Image) -> int:
    """64 bits that say where a picture gets brighter from left to right."""
    small = picture.convert("L").resize((9, 8), Image.Resampling.BOX)
    pixels = small.tobytes()
    bits = (pixels[9 * row + column] < pixels[9 * row + column + 1] for row in range(8) for column in range(8))
    return sum(bit << place for place, bit in enumerate(bits))


def test_no_two_pictures_are_duplicates(folder: Path, pictures: list[str]) -> None:
    contents = [hashlib.sha256((folder / picture).read_bytes()).hexdigest() for picture in pictures]
    assert len(set(contents)) == len(contents)
    hashes = []
    for picture in pictures:
        with Image.open(folder / picture) as opened:
            hashes.append(difference_hash(ImageOps.exif_transpose(opened).convert("RGBA")))
    for row, one in enumerate(hashes):
        for other in range(row):
            assert (one ^ hashes[other]).bit_count() > 4, (pictures[row], pictures[other])


def test_cat_is_stored_sideways_and_shown_upright(folder: Path) -> None:
    with Image.open(folder / "animals/cat.jpg") as opened:
        assert opened.getexif()[ExifTags.Base.Orientation] == 6
        assert opened.width < opened.height
        upright = ImageOps.exif_transpose(opened)
    assert upright.width > upright.height
    # The nose and mouth are the palest part near the bottom, the dark blurred room is at the top right.
    grey = upright.convert("L").resize((4, 4), Image.Resampling.BOX)
    assert grey.getpixel((3, 0)) < grey.getpixel((2, 3))


@pytest.mark.parametrize("picture", ["food/donut.png", "music/guitar.png"])
def test_cut_out_is_rgba_with_real_transparency(folder: Path, picture: str) -> None:
    with Image.open(folder / picture) as opened:
        assert opened.mode == "RGBA"
        alpha = opened.getchannel("A").histogram()
    assert alpha[0] > 1000
    assert alpha[255] > 1000
    assert sum(alpha[1:255]) > 100  # soft edges, not a mask


@pytest.mark.parametrize(("picture", "mode"), [("wardrobe/backpack.jpg", "CMYK"), ("people/photographer.jpg", "L")])
def test_jpeg_is_in_a_rare_mode(folder: Path, picture: str, mode: str) -> None:
    with Image.open(folder / picture) as opened:
        assert (opened.format, opened.mode) == ("JPEG", mode)


@pytest.mark.parametrize(
    ("picture", "date", "place"),
    [
        ("food/coffee.jpg", "2023:10:08 09:41:30", ("N", 45, 30, "W", 73, 34)),
        ("travel/rocket.jpg", "2024:06:21 21:30:12", ("N", 28, 33, "W", 80, 34)),
        ("travel/pagoda.heic", "2024:05:01 08:15:00", ("N", 39, 59, "E", 116, 16)),
        ("animals/cat.jpg", "2024:02:11 16:20:05", None),
    ],
)
def test_metadata_is_there_and_plainly_made_up(
    folder: Path, picture: str, date: str, place: tuple[str, int, int, str, int, int] | None
) -> None:
    with Image.open(folder / picture) as opened:
        exif = opened.getexif()
    assert (exif[ExifTags.Base.Make], exif[ExifTags.Base.Model]) == ("clipsearch", "sample")
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == date
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    if place is None:
        assert not gps
        return
    north, east = gps[ExifTags.GPS.GPSLatitude], gps[ExifTags.GPS.GPSLongitude]
    found = (gps[ExifTags.GPS.GPSLatitudeRef], north[0], north[1], gps[ExifTags.GPS.GPSLongitudeRef], east[0], east[1])
    assert found == place
