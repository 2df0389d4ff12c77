"""JPEG XL is read upright, with its metadata, and its size is known before it is decoded."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import ImageReadError
from clipsearch.images.decode import decode_image, read_header
from tests.fuzz.pictures import exif_of_a_camera
from tests.support.make_hostile import draw_scene

imagecodecs = pytest.importorskip("imagecodecs", reason="needs the extra jxl")


def encoded(image: Image.Image, **options: object) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(np.asarray(image), **options))


def boxed(codestream: bytes, *boxes: tuple[bytes, bytes], parts: int = 1) -> bytes:
    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", 8 + len(content)) + kind + content

    start = struct.pack(">I", 12) + b"JXL \r\n\x87\n" + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    described = b"".join(box(kind, content) for kind, content in boxes)
    if parts == 1:
        return start + described + box(b"jxlc", codestream)
    half = len(codestream) // 2
    first = box(b"jxlp", struct.pack(">I", 0) + codestream[:half])
    return start + described + first + box(b"jxlp", struct.pack(">I", 0x80000001) + codestream[half:])


@pytest.mark.parametrize("size", [(48, 32), (33, 57), (64, 64), (400, 300), (1600, 900), (600, 500), (20, 2000)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_pictures_of_any_size_and_mode(size: tuple[int, int], mode: str) -> None:
    image = draw_scene(*size).convert(mode)
    content = encoded(image, lossless=True)
    decoded = decode_image(content)
    assert np.array_equal(np.asarray(decoded.image), np.asarray(image.convert("RGB")))
    assert (decoded.metadata.width, decoded.metadata.height, decoded.metadata.format) == (*size, "JXL")
    assert read_header(content) == decoded.metadata
    for parts in (1, 2):
        assert decode_image(boxed(content, parts=parts)).image.tobytes() == decoded.image.tobytes()


def test_deeper_levels_are_reduced() -> None:
    values = np.linspace(0, 65535, 48 * 32).reshape(32, 48).astype(np.uint16)
    image = decode_image(bytes(imagecodecs.jpegxl_encode(values, lossless=True))).image
    assert np.abs(np.asarray(image)[..., 0].astype(int) - (values >> 8)).max() <= 1


def test_the_orientation_in_exif_is_not_applied_again() -> None:
    """The codestream has the valid one, and the decoder applies it."""
    exif = struct.pack(">I", 0) + exif_of_a_camera()[6:]
    content = boxed(encoded(draw_scene(48, 32)), (b"Exif", exif))
    decoded = decode_image(content)
    assert decoded.image.size == (48, 32)
    assert (decoded.metadata.camera, decoded.metadata.latitude) == ("Canon EOS 5D", 50.1)
    assert read_header(content) == decoded.metadata


def test_the_size_is_checked_before_decoding() -> None:
    content = encoded(Image.new("L", (3000, 2000)))
    with pytest.raises(ImageReadError, match="too large: 6 megapixels, the limit is 4"):
        decode_image(content, max_megapixels=4)
    with pytest.raises(ImageReadError, match="truncated"):
        decode_image(content[:9])
    with pytest.raises(ImageReadError):
        decode_image(content[:20])
    buffer = io.BytesIO(boxed(content)[:30])
    with pytest.raises(ImageReadError, match="truncated"):
        decode_image(buffer)
