"""Pictures in the colours of a profile become what they were in sRGB; a profile never costs a picture."""

import io
import random
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipsearch.images.colours.coded import rgb_profile, srgb_to_light
from clipsearch.images.colours.profiles import find_conversion
from clipsearch.images.colours.rgb import to_rgb, to_srgb
from clipsearch.images.copies.views import make_view
from clipsearch.images.decode import decode_image, upright_rgb
from clipsearch.images.thumbnails import shrink
from tests.support import colours
from tests.support.make_hostile import draw_scene

SCENE = draw_scene(96, 64)
LINEAR = colours.kinds()["linear"][0]
P3 = rgb_profile(colours.DISPLAY_P3, srgb_to_light)


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def difference(image: Image.Image, other: Image.Image) -> float:
    """Mean difference in levels."""
    assert (image.mode, other.mode) == ("RGB", "RGB")
    return float(np.abs(np.asarray(image, dtype=int) - np.asarray(other, dtype=int)).mean())


def coarse_difference(image: Image.Image, other: Image.Image) -> float:
    """Difference of mean colours of parts, which compression does not change."""
    return difference(*(each.resize((12, 8), Image.Resampling.BOX) for each in (image, other)))


class TestPictures:
    @pytest.mark.parametrize("kind", colours.kinds())
    def test_colours_of_a_profile_become_those_of_srgb(self, kind: str) -> None:
        profile, write = colours.kinds()[kind]
        written = write(SCENE)
        assert difference(written, SCENE) > 8
        decoded = decode_image(encoded(written, icc_profile=profile)).image
        assert difference(decoded, SCENE) < 2  # XYB has few levels
        assert "icc_profile" not in decoded.info

    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
    def test_profiles_of_all_formats_that_pillow_tells(self, file_format: str) -> None:
        decode_image(encoded(SCENE))  # registers HEIF, so that it can be written
        profile, write = colours.kinds()["Rec. 2020"]
        content = encoded(write(SCENE), file_format, icc_profile=profile, quality=95)
        assert coarse_difference(write(SCENE), SCENE) > 6
        assert coarse_difference(decode_image(content).image, SCENE) < 2.5

    def test_a_jpeg_that_is_scaled_down(self) -> None:
        profile, write = colours.kinds()["ProPhoto"]
        large = SCENE.resize((1600, 1200))
        found = [
            decode_image(content, needed_side=100).image
            for content in (encoded(write(large), "JPEG", icc_profile=profile, quality=95), encoded(large, "JPEG"))
        ]
        assert found[0].size == (400, 300)
        assert difference(*found) < 3

    def test_a_jpeg_in_xyb(self) -> None:
        large = SCENE.resize((960, 640))
        content = encoded(colours.in_xyb(large), "JPEG", icc_profile=colours.xyb_profile(), keep_rgb=True, quality=95)
        assert coarse_difference(decode_image(content).image, large) < 3

    def test_near_colours_stay_as_they_are_and_keep_their_profile(self) -> None:
        adobe = rgb_profile(colours.ADOBE_RGB, lambda values: values**2.2)
        for profile in (P3, adobe, rgb_profile(colours.SRGB, srgb_to_light)):
            decoded = decode_image(encoded(SCENE, icc_profile=profile)).image
            assert difference(decoded, SCENE) == 0
            assert decoded.info["icc_profile"] == profile

    def test_ink_is_converted_by_the_profile_of_its_press(self) -> None:
        ramps = np.stack(np.meshgrid(*[np.linspace(0, 1, 5)] * 4, indexing="ij"), axis=-1).reshape(25, 25, 4)
        inks = Image.fromarray(np.rint(ramps * 255).astype(np.uint8), "CMYK")
        wanted = colours.image_of(colours.lab_to_srgb(colours.printed_lab(np.asarray(inks) / 255.0)))
        assert difference(inks.convert("RGB"), wanted) > 20
        content = encoded(inks, "TIFF", icc_profile=colours.press_profile())
        assert difference(decode_image(content).image, wanted) < 1
        jpeg = encoded(inks.resize((400, 400), 0), "JPEG", icc_profile=colours.press_profile(), quality=98)
        assert difference(decode_image(jpeg).image, wanted.resize((400, 400), 0)) < 5  # stored inverted, as by Adobe

    def test_grey_pictures(self) -> None:
        grey = SCENE.convert("L")
        linear = colours.image_of(srgb_to_light(np.asarray(grey) / 255.0))
        alpha = Image.new("L", grey.size, 255)
        for picture, profile in (
            (linear, colours.grey_profile(1.0)),
            (Image.merge("LA", [linear, alpha]), colours.grey_profile(1.0)),
            (linear, LINEAR),  # of three colours, as some programs write it
        ):
            decoded = decode_image(encoded(picture, icc_profile=profile)).image
            assert difference(decoded, grey.convert("RGB")) < 1.5

    @pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
    def test_sixteen_bits_in_linear_light_keep_the_shadows(self, file_format: str) -> None:
        levels = np.arange(256)
        ramp = np.rint(srgb_to_light(levels / 255.0) * 65535).astype(np.uint16)[np.newaxis]
        content = encoded(Image.fromarray(ramp), file_format, icc_profile=colours.grey_profile(1.0))
        assert np.abs(np.asarray(decode_image(content).image)[0, :, 0] - levels).max() <= 1

    def test_floats_in_linear_light_keep_the_shadows(self) -> None:
        levels = np.arange(256)
        ramp = srgb_to_light(levels / 255.0).astype(np.float32)[np.newaxis]
        content = encoded(Image.fromarray(ramp), "TIFF", icc_profile=colours.grey_profile(1.0))
        assert np.abs(np.asarray(decode_image(content).image)[0, :, 0] - levels).max() <= 1

    def test_transparent_parts_are_white_and_palettes_are_converted(self) -> None:
        dark = Image.new("RGBA", (20, 10), (55, 55, 55, 255))  # of light; about 128 of sRGB
        dark.paste((55, 55, 55, 0), (10, 0, 20, 10))
        for picture in (dark, dark.quantize(4)):
            image = decode_image(encoded(picture, icc_profile=LINEAR)).image
            assert (image.getpixel((2, 2)), image.getpixel((15, 2))) == ((128, 128, 128), (255, 255, 255))

    def test_strips_give_the_same_as_the_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        content = [encoded(image, "TIFF", icc_profile=LINEAR) for image in (SCENE, SCENE.convert("RGBA"))]
        whole = [np.asarray(decode_image(each).image) for each in content]
        monkeypatch.setattr("clipsearch.images.colours.rgb._STRIP_PIXELS", 500)
        for each, expected in zip(content, whole, strict=True):
            np.testing.assert_array_equal(np.asarray(decode_image(each).image), expected)

    def test_a_picture_of_the_caller_stays_as_it_was(self) -> None:
        opened = Image.open(io.BytesIO(encoded(SCENE, icc_profile=LINEAR)))
        converted = upright_rgb(opened)
        assert difference(converted, SCENE) > 8
        assert difference(opened, SCENE) == 0
        assert opened.info["icc_profile"] == LINEAR

    def test_views_and_thumbnails_have_the_same_colours(self) -> None:
        profile, write = colours.kinds()["ProPhoto"]
        content, plain = encoded(write(SCENE), icc_profile=profile), encoded(SCENE)
        view, other = make_view(content, side=32), make_view(plain, side=32)
        assert np.abs(view.pixels.astype(int) - other.pixels).mean() < 1.5
        thumbnails = [Image.open(io.BytesIO(shrink(each, side=48).jpeg)) for each in (content, plain)]
        assert "icc_profile" not in thumbnails[0].info
        assert difference(*thumbnails) < 2

    def test_a_thumbnail_of_near_colours_keeps_a_small_profile_and_is_converted_from_a_large_one(self) -> None:
        padded = struct.pack(">I", len(P3) + 8000) + P3[4:] + bytes(8000)
        small, large = (
            Image.open(io.BytesIO(shrink(encoded(SCENE, icc_profile=p), side=48).jpeg)) for p in (P3, padded)
        )
        assert small.info["icc_profile"] == P3
        assert "icc_profile" not in large.info
        assert 2 * coarse_difference(large, to_srgb(small)) < coarse_difference(large, small)


def hostile_profiles() -> list[bytes]:
    press = colours.press_profile()
    return [
        b"x" * 200,
        LINEAR[:127],
        LINEAR[:300],
        LINEAR[:128] + struct.pack(">I", 0xFFFFFFFF) + LINEAR[132:],
        LINEAR[:12] + b"link" + LINEAR[16:],
        LINEAR[:12] + b"nmcl" + LINEAR[16:],
        LINEAR[:16] + b"CMYK" + LINEAR[20:],
        LINEAR[:20] + b"RGB " + LINEAR[24:],
        press[:16] + b"RGB " + press[20:],
        colours.grey_profile(1.0)[:16] + b"RGB " + colours.grey_profile(1.0)[20:],
        # All tags are one and the same, and a tag is the whole file.
        LINEAR[:132]
        + b"".join(LINEAR[place : place + 4] + LINEAR[136:144] for place in range(132, 216, 12))
        + LINEAR[216:],
        LINEAR[:148] + struct.pack(">II", 0, len(LINEAR)) + LINEAR[156:],
        LINEAR + bytes(9 << 20),
        rgb_profile(colours.SRGB, lambda values: values * 0.01),  # everything black
        rgb_profile(colours.SRGB, lambda values: values * 0 + 1),
    ]


class TestHostileProfiles:
    @pytest.mark.parametrize("number", range(len(hostile_profiles())))
    def test_what_is_no_profile_of_these_colours_changes_nothing(self, number: int) -> None:
        profile = hostile_profiles()[number]
        image = SCENE.copy()
        image.info["icc_profile"] = profile
        assert difference(to_rgb(image), SCENE) == 0

    @pytest.mark.parametrize(
        ("mode", "profile"),
        [("CMYK", LINEAR), ("RGB", colours.press_profile()), ("RGB", colours.grey_profile(1.0)), ("LAB", LINEAR)],
    )
    def test_a_profile_of_other_colours_is_not_used(self, mode: str, profile: bytes) -> None:
        assert find_conversion(profile, mode) is None
        image = Image.new(mode, (9, 9), (200, 90, 120, 30)[: len(Image.new(mode, (1, 1)).getbands())])
        plain = to_rgb(image)
        image.info["icc_profile"] = profile
        assert difference(to_rgb(image), plain) == 0

    def test_what_is_no_bytes_is_no_profile(self) -> None:
        for odd in ("text", 7, (1, 2), b"", None):
            image = SCENE.copy()
            image.info["icc_profile"] = odd
            assert difference(to_rgb(image), SCENE) == 0

    def test_mutations_never_cost_the_picture(self) -> None:
        rng = random.Random(3)
        inks = SCENE.convert("CMYK")
        kinds = [(profile, SCENE) for profile, _ in colours.kinds().values()]
        kinds += [(colours.press_profile(), inks), (colours.grey_profile(1.8), SCENE.convert("L"))]
        for _ in range(300):
            profile, picture = rng.choice(kinds)
            damaged = bytearray(profile)
            for _ in range(rng.randint(1, 4)):
                place = rng.randrange(128, min(len(damaged), 800))
                damaged[place : place + 4] = rng.choice([b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4), rng.randbytes(2)])
            image = picture.copy()
            image.info["icc_profile"] = bytes(damaged)
            converted = to_rgb(image)
            assert (converted.mode, converted.size) == ("RGB", SCENE.size)

    def test_only_so_many_are_cached(self) -> None:
        first = find_conversion(LINEAR, "RGB")
        assert find_conversion(LINEAR, "RGBA") is first
        for number in range(20):
            assert find_conversion(LINEAR + bytes(4 * number + 4), "RGB") is not None
        assert find_conversion(LINEAR, "RGB") is not first
