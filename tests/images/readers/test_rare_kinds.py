"""Pictures of rarer kinds look as they were written, and are taken for what they are."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import ImageReadError
from clipsearch.formats import IMAGE_SUFFIXES
from clipsearch.images.decode import decode_image, is_sequence, read_header
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.reading import open_picture
from clipsearch.images.thumbnails import make_thumbnail
from tests.support.make_hostile import draw_scene
from tests.support.rare_pictures import encoded, fits, psd, rare_samples, with_alpha, zipped

SCENE = draw_scene(48, 32)
# Mean difference of a level: of textures because they are compressed, of one bit a channel for none.
TOLERANCES = {"dds dxt1": 4.0, "dds dxt5": 4.0, "psd 32 bit": 0.5}


def difference(image: Image.Image, wanted: Image.Image) -> float:
    assert image.size == wanted.size
    return float(np.abs(np.asarray(image, int) - np.asarray(wanted.convert("RGB"), int)).mean())


@pytest.mark.parametrize("kind", sorted(rare_samples()))
def test_every_rare_kind_looks_as_it_was_written(kind: str, tmp_path: Path) -> None:
    suffix, file_format, content, wanted = rare_samples()[kind]
    decoded = decode_image(content, suffix=suffix)
    assert decoded.metadata.format == file_format
    if kind == "psd":  # its EXIF turns it
        wanted = wanted.transpose(Image.Transpose.ROTATE_270)
        assert (decoded.metadata.camera, decoded.metadata.latitude) == ("Canon EOS 5D", 50.1)
    assert difference(decoded.image, wanted) <= TOLERANCES.get(kind, 0.0)
    assert read_header(content, suffix=suffix) == decoded.metadata
    assert not is_sequence(content, suffix=suffix)

    # And by its path, wherever files are read.
    assert suffix in IMAGE_SUFFIXES
    path = tmp_path / f"picture{suffix.upper()}"
    path.write_bytes(content)
    assert decode_image(path).metadata == decoded.metadata
    shown = Image.open(io.BytesIO(make_thumbnail(path, side=24).jpeg))
    assert max(shown.size) == min(24, max(wanted.size))
    spec = Preprocess(32, 48, None, 3, 1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    with open_picture(str(path), spec=spec) as picture:
        assert picture.decode()[0].shape == (32, 48, 3)
        assert picture.describe() == decoded.metadata
        assert picture.view(16).format == file_format


@pytest.mark.parametrize("kind", ["tga", "pcx", "sgi", "xbm"])
def test_kinds_without_a_magic_number_need_their_suffix(kind: str) -> None:
    content = rare_samples()[kind][2]
    for suffix in ("", ".jpg"):
        with pytest.raises(ImageReadError, match="not a picture of a kind that can be read"):
            decode_image(content, suffix=suffix)


def test_a_jpeg_is_a_jpeg_under_any_name() -> None:
    for suffix in (".tga", ".psd", ".pcx", ".xbm", ".cur"):
        assert decode_image(encoded(SCENE, "JPEG"), suffix=suffix).metadata.format == "JPEG"
    for kind in ("psd", "qoi", "dds", "ico", "fits"):
        assert decode_image(rare_samples()[kind][2], suffix=".jpg").metadata.format == rare_samples()[kind][1]


@pytest.mark.parametrize("kind", ["tga", "pcx", "dds dxt1"])
def test_the_rows_that_are_there_of_a_truncated_picture_are_decoded(kind: str) -> None:
    suffix, _, content, wanted = rare_samples()[kind]
    decoded = decode_image(content[: len(content) * 97 // 100], suffix=suffix)
    assert decoded.metadata.decoded_share is not None
    assert 0.75 <= decoded.metadata.decoded_share < 1
    assert difference(decoded.image, wanted) < 20
    with pytest.raises(ImageReadError, match=r"truncated|damaged"):
        decode_image(content[: len(content) // 2], suffix=suffix)


class TestPhotoshop:
    def test_a_fourth_channel_is_transparency_only_where_the_layers_say_so(self) -> None:
        clear = with_alpha(SCENE)
        assert difference(decode_image(psd(clear)).image, SCENE) == 0
        assert difference(decode_image(psd(clear, layers=2)).image, SCENE) == 0
        assert difference(decode_image(psd(clear, layers=-2)).image, SCENE) > 10

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (psd(SCENE, resources={1057: b"\0\0\0\1\0"}), "without a composite"),
            (psd(SCENE, colours=9), "Lab colours"),
            (psd(SCENE)[:-1400], "truncated"),
            (psd(SCENE, packed=False)[:-1], "truncated"),
            (psd(SCENE)[:200], "truncated"),
            (psd(SCENE)[:20], "damaged"),
            (psd(SCENE)[:14] + b"\xff" * 8 + psd(SCENE)[22:], "truncated|too large"),
        ],
    )
    def test_what_can_not_be_read_has_a_reason(self, content: bytes, reason: str) -> None:
        with pytest.raises(ImageReadError, match=reason):
            decode_image(content)

    def test_with_a_composite_the_same_resource_is_no_reason(self) -> None:
        assert difference(decode_image(psd(SCENE, resources={1057: b"\0\0\0\1\1"})).image, SCENE) == 0


class TestIcons:
    def test_the_largest_picture_with_the_most_colours_is_shown(self) -> None:
        frames = [("P", 32, "red"), ("RGB", 32, "lime"), ("P", 32, "white"), ("RGBA", 24, "blue")]
        bodies, entries, place = b"", b"", 6 + 16 * len(frames)
        for mode, side, colour in frames:
            image = Image.new("RGB", (side, side), colour)
            image = image.quantize(2) if mode == "P" else image.convert(mode)
            body = encoded(image, "ICO", sizes=[(side, side)], bitmap_format="bmp")[22:]
            entries += struct.pack("<BBBBHHII", side, side, 0, 0, 1, 0, len(body), place + len(bodies))
            bodies += body
        image = decode_image(struct.pack("<HHH", 0, 1, len(frames)) + entries + bodies).image
        assert (image.size, image.getpixel((9, 9))) == ((32, 32), (0, 255, 0))

    def test_bits_that_are_all_zero_are_not_transparency(self) -> None:
        opaque = encoded(Image.new("RGBA", (16, 16), (255, 0, 0, 0)), "ICO", sizes=[(16, 16)], bitmap_format="bmp")
        assert decode_image(opaque).image.getpixel((8, 8)) == (255, 0, 0)

    def test_a_cursor_is_an_icon(self) -> None:
        content = rare_samples()["ico bitmaps"][2]
        cursor = content[:2] + b"\2" + content[3:]
        assert difference(decode_image(cursor, suffix=".cur").image, rare_samples()["ico bitmaps"][3]) == 0

    def test_a_huge_picture_in_an_icon_is_refused_before_it_is_decoded(self) -> None:
        png = encoded(Image.new("1", (9000, 9000)), "PNG")
        ico = struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(png), 22) + png
        icns = b"icns" + struct.pack(">I", 16 + len(png)) + b"ic10" + struct.pack(">I", 8 + len(png)) + png
        for content in (ico, icns):
            with pytest.raises(ImageReadError, match="9,000 × 9,000 pixels"):
                decode_image(content)


class TestTextures:
    def test_an_alpha_that_is_empty_or_not_named_is_ignored(self) -> None:
        hidden = SCENE.convert("RGBA")
        hidden.putalpha(0)
        for file_format, options in (("TGA", {}), ("DDS", {}), ("DDS", {"pixel_format": "DXT5"})):
            image = decode_image(encoded(hidden, file_format, **options), suffix=".tga").image
            assert difference(image, SCENE) < 4
        half = bytearray(encoded(with_alpha(SCENE), "TGA"))
        half[17] &= 0xF0
        assert difference(decode_image(bytes(half), suffix=".tga").image, SCENE) == 0

    def test_srgb_is_read_as_the_same_compression(self) -> None:
        content = bytearray(encoded(SCENE.convert("RGBA"), "DDS", pixel_format="BC3"))
        plain = decode_image(bytes(content)).image
        assert content[128] == 76  # BC3, of no kind
        content[128] = 78
        assert decode_image(bytes(content)).image.tobytes() == plain.tobytes()
        content[128:132] = struct.pack("<I", 103)
        with pytest.raises(ImageReadError, match="not supported: an unusual kind of DDS"):
            decode_image(bytes(content))

    def test_masks_of_any_width_fill_the_range(self) -> None:
        content = bytearray(encoded(Image.new("RGB", (2, 1), "white"), "DDS")[:128])
        content[88:92] = struct.pack("<I", 16)
        content[92:104] = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
        image = decode_image(bytes(content) + struct.pack("<HH", 0xFFFF, 0xF800)).image
        assert [image.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (255, 0, 0)]


class TestFits:
    def test_scale_and_zero_are_applied(self) -> None:
        """Unsigned numbers are stored as signed ones with a zero of 32,768."""
        ramp = np.linspace(0, 65535, 48 * 32).reshape(32, 48)
        stored = (ramp - 32768).astype(np.int16)
        image = decode_image(fits(stored, cards={"BZERO": 32768, "BSCALE": 1})).image
        levels = np.asarray(image)[..., 0].astype(int).ravel()
        assert (np.diff(levels) >= 0).all()
        assert (levels[0], levels[-1]) == (0, 255)

    def test_faint_values_are_made_visible(self) -> None:
        sky = np.full((32, 48), 100.0, np.float32)
        sky[10:20, 10:20] = 140
        sky[5, 5], sky[6, 6] = 60_000, np.nan
        image = decode_image(fits(sky)).image
        assert image.getpixel((15, 15))[0] > image.getpixel((40, 25))[0] + 60  # type: ignore[index]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (fits(np.zeros((32, 48), np.float64))[:-3000], "truncated"),
            (fits(np.zeros((32, 48), np.uint8))[:400], "truncated"),
            (fits(np.zeros((32, 48), np.uint8)).replace(b"NAXIS ", b"NAXOS "), "NAXIS is missing"),
            (fits(np.zeros(9, np.uint8)), "truncated|no picture"),
        ],
    )
    def test_what_can_not_be_read_has_a_reason(self, content: bytes, reason: str) -> None:
        with pytest.raises(ImageReadError, match=reason):
            decode_image(content)


def test_slow_kinds_are_read_up_to_a_size() -> None:
    header = b"qoif" + struct.pack(">II", 3000, 1000) + b"\3\0"
    with pytest.raises(ImageReadError, match=r"not supported: QOI of more than 2 megapixels, it has 3\.0"):
        decode_image(header + bytes(9000))


def test_other_zip_files_are_no_pictures() -> None:
    with pytest.raises(ImageReadError, match="not a picture of a kind that can be read"):
        decode_image(zipped(SCENE, "application/epub+zip"))
    with pytest.raises(ImageReadError, match="without a merged picture"):
        decode_image(zipped(SCENE, name="other.png"))
    with pytest.raises(ImageReadError, match="truncated"):
        decode_image(zipped(SCENE)[:-30])
