"""Thumbnails: upright, small, with the colours that were meant and nothing else of the file."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from clipsearch.errors import ImageReadError
from clipsearch.images.thumbnails import make_thumbnail
from clipsearch.paths import sample_data_folder

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def opened(thumbnail) -> Image.Image:
    image = Image.open(io.BytesIO(thumbnail.jpeg))
    assert image.format == "JPEG"
    assert image.size == (thumbnail.width, thumbnail.height)
    return image


def test_it_is_upright_and_tells_nothing_of_the_camera(tmp_path):
    # Wider than high as stored, red on the left; turned by 90° clockwise for people: red on top.
    pixels = np.zeros((100, 400, 3), dtype=np.uint8)
    pixels[:, :200, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "A camera"
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif)
    thumbnail = make_thumbnail(tmp_path / "a.jpg", side=200)
    image = opened(thumbnail)
    assert image.size == (50, 200)
    assert image.getpixel((25, 30))[0] > 200 > 50 > image.getpixel((25, 170))[0]
    assert b"camera" not in thumbnail.jpeg
    assert not image.getexif()


@pytest.mark.parametrize("path", sorted(sample_data_folder().glob("*/*.*")), ids=lambda path: path.name)
def test_the_sample_pictures_fit_and_keep_their_shape(path):
    from clipsearch.images.decode import decode_image

    full = decode_image(path).image
    thumbnail = make_thumbnail(path, side=96)
    image = opened(thumbnail)
    assert max(image.size) == min(96, max(full.size))
    assert image.width / image.height == pytest.approx(full.width / full.height, rel=0.03)
    wanted = np.asarray(full.resize(image.size, Image.Resampling.LANCZOS), dtype=float)
    assert (
        np.abs(np.asarray(image, dtype=float) - wanted).mean() < 10
    )  # a turned or mirrored one is off by more than 20


def test_a_large_jpeg_and_a_small_picture(tmp_path):
    Image.new("RGB", (4000, 1000), "blue").save(tmp_path / "large.jpg")
    Image.new("RGB", (20, 10), "blue").save(tmp_path / "small.png")
    assert opened(make_thumbnail(tmp_path / "large.jpg", side=384)).size == (384, 96)
    assert opened(make_thumbnail(tmp_path / "small.png", side=384)).size == (20, 10)


def test_a_profile_stays_where_it_means_these_colours(tmp_path):
    Image.new("RGB", (20, 20), "blue").save(tmp_path / "rgb.jpg", icc_profile=SRGB)
    Image.new("RGB", (20, 20), "blue").save(tmp_path / "huge.jpg", icc_profile=SRGB + bytes(5000))
    cmyk = SRGB[:16] + b"CMYK" + SRGB[20:]
    Image.new("CMYK", (20, 20)).save(tmp_path / "cmyk.jpg", icc_profile=cmyk)
    Image.new("RGB", (20, 20), "blue").save(tmp_path / "other.jpg", icc_profile=cmyk)
    names = ("rgb", "huge", "cmyk", "other")
    found = {name: opened(make_thumbnail(tmp_path / f"{name}.jpg", side=10)) for name in names}
    assert found["rgb"].info["icc_profile"] == SRGB
    assert "icc_profile" not in found["huge"].info
    assert "icc_profile" not in found["cmyk"].info
    assert "icc_profile" not in found["other"].info


def test_what_is_no_picture_says_so(tmp_path):
    (tmp_path / "a.jpg").write_text("no")
    with pytest.raises(ImageReadError, match="not a picture"):
        make_thumbnail(tmp_path / "a.jpg", side=10)
    with pytest.raises(FileNotFoundError):
        make_thumbnail(tmp_path / "b.jpg", side=10)
    with pytest.raises(OSError, match="not a regular file"):
        make_thumbnail(tmp_path, side=10)
