"""Colours that a file describes by numbers: HEIF's nclx, AVIF's, PNG's cICP, gAMA and cHRM."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipsearch.images.colours.coded import profile_of_code_points, profile_of_gamma, srgb_to_light
from clipsearch.images.colours.profiles import find_conversion
from clipsearch.images.containers import read_png_code_points
from clipsearch.images.decode import decode_image
from tests.support import colours
from tests.support.make_hostile import draw_scene

SCENE = draw_scene(96, 64)
LINEAR = colours.in_colours(SCENE, np.eye(3), lambda light: light)


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png_with(image: Image.Image, **chunks: bytes) -> bytes:
    content = encoded(image, "PNG")
    parts = [
        struct.pack(">I", len(data)) + name.encode() + data + struct.pack(">I", zlib.crc32(name.encode() + data))
        for name, data in chunks.items()
    ]
    return content[:33] + b"".join(parts) + content[33:]


def difference(content: bytes) -> float:
    image = decode_image(content).image
    return float(np.abs(np.asarray(image, dtype=int) - np.asarray(SCENE, dtype=int)).mean())


@pytest.mark.parametrize("file_format", ["HEIF", "AVIF"])
def test_code_points_of_a_container(file_format: str) -> None:
    decode_image(encoded(SCENE, "PNG"))  # registers HEIF, so that it can be written
    rec_2020 = colours.in_colours(SCENE, colours.SRGB_TO_2020, colours.to_srgb_curve)
    content = encoded(rec_2020, file_format, quality=95)
    place = content.index(b"nclx") + 4
    tagged = content[:place] + struct.pack(">HH", 9, 13) + content[place + 4 :]
    assert difference(content) > 8
    assert difference(tagged) < 5


def test_code_points_of_a_png() -> None:
    assert difference(png_with(LINEAR, cICP=bytes([1, 8, 0, 1]))) < 1.5
    assert difference(png_with(LINEAR, cICP=bytes([1, 13, 0, 1]))) > 8
    # An ICC profile, which Pillow knows, goes first here.
    linear = colours.kinds()["linear"][0]
    assert difference(encoded(LINEAR, "PNG", icc_profile=linear)) < 1.5


def test_gamma_and_chromaticities_of_a_png() -> None:
    gamma = struct.pack(">I", 100_000)
    assert difference(png_with(LINEAR, gAMA=gamma)) < 1.5
    assert difference(png_with(LINEAR, gAMA=gamma, sRGB=b"\0")) > 8
    for odd in (0, 1, 2**32 - 1):
        assert difference(png_with(SCENE, gAMA=struct.pack(">I", odd))) == 0
    wide = struct.pack(">8I", *(round(100_000 * each) for each in colours.REC_2020))
    rec_2020 = colours.in_colours(SCENE, colours.SRGB_TO_2020, colours.to_srgb_curve)
    assert difference(png_with(rec_2020, cHRM=wide)) < 2
    for odd_places in ([0] * 8, [2**32 - 1] * 8, [33_333] * 8, [1, 1] * 4):
        assert difference(png_with(SCENE, cHRM=struct.pack(">8I", *odd_places))) == 0


def test_chunks_that_never_end() -> None:
    for length in (0, 2**31, 2**32 - 1):
        assert (
            read_png_code_points(io.BytesIO(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", length, b"tEXt") * 5000)) is None
        )


@pytest.mark.parametrize(("transfer", "white"), [(16, 203 / 10_000), (18, 0.75)])
def test_high_dynamic_range_is_cut_off_at_the_reference_white(transfer: int, white: float) -> None:
    conversion = find_conversion(profile_of_code_points(1, transfer), "RGB")
    assert conversion is not None
    levels = np.asarray(conversion.apply(Image.linear_gradient("L").convert("RGB")))[:, 0, 0].astype(int)
    assert (np.diff(levels) >= 0).all()
    # Source of the inverse for PQ: ITU-R BT.2100-2, table 4.
    signal = white
    if transfer == 16:
        power = white**0.1593017578125
        signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    assert levels[int(signal * 255) + 1] == 255 > levels[int(signal * 255) - 2]
    assert levels[20] < 60


def test_unknown_code_points_are_those_of_srgb() -> None:
    for primaries, transfer in ((2, 2), (1, 13), (255, 255), (1, 1)):
        conversion = find_conversion(profile_of_code_points(primaries, transfer), "RGB")
        assert conversion is not None
        assert conversion.shift < 0.1


def test_a_gamma_is_the_exponent_of_encoding() -> None:
    profile = profile_of_gamma(1 / 1.5, None)
    assert profile is not None
    conversion = find_conversion(profile, "RGB")
    assert conversion is not None
    converted = np.asarray(conversion.apply(Image.new("RGB", (1, 1), (128, 128, 128))))[0, 0, 0]
    light = (128 / 255) ** 1.5
    assert abs(float(srgb_to_light(np.array(converted / 255.0))) - light) < 0.005
