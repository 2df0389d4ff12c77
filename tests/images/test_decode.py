"""Any file gives an upright RGB picture or an ImageReadError, in bounded time and memory."""

import contextlib
import io
import os
import struct
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import ImageReadError
from clipsearch.images.colours.rgb import to_rgb
from clipsearch.images.decode import decode_image, read_header, upright_rgb
from tests.support.make_hostile import png_of_zeros
from tests.support.orientations import TURNED_BACK


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def four_corners(width: int = 64, height: int = 48) -> Image.Image:
    """Red, green, blue and yellow quarters: every turn and flip can be seen."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("lime", (width // 2, 0, width, height // 2))
    image.paste("blue", (0, height // 2, width // 2, height))
    image.paste("yellow", (width // 2, height // 2, width, height))
    return image


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """Colours near the four corners, rounded to full or none."""
    width, height = image.size
    places = [(5, 5), (width - 6, 5), (5, height - 6), (width - 6, height - 6)]
    return [tuple(255 * (level > 127) for level in image.getpixel(place)) for place in places]  # type: ignore[union-attr]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_header_says_what_the_decoded_picture_says(file_format: str, orientation: int) -> None:
    decode_image(encoded(four_corners(), "PNG"))  # registers HEIF, so that it can be written
    exif = Image.Exif()
    exif.update({0x0112: orientation, 0x010F: "Acme", 0x0132: "2024:05:06 07:08:09"})
    content = encoded(four_corners(), file_format, exif=exif.tobytes())
    assert read_header(content) == decode_image(content).metadata
    assert read_header(content).camera == "Acme"


def test_a_header_is_read_within_limits_and_of_pictures_alone() -> None:
    with pytest.raises(ImageReadError, match="too large"):
        read_header(png_of_zeros(20_000, 20_000))
    with pytest.raises(ImageReadError, match="not a picture"):
        read_header(b"no picture at all")


UPRIGHT = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]


class TestOrientation:
    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_is_applied_exactly_once(self, file_format: str, orientation: int) -> None:
        decode_image(encoded(four_corners(), "PNG"))  # registers HEIF, so that it can be written
        stored = four_corners()
        if orientation in TURNED_BACK:
            stored = stored.transpose(TURNED_BACK[orientation])
        exif = Image.Exif()
        exif[0x0112] = orientation
        decoded = decode_image(encoded(stored, file_format, exif=exif.tobytes()))
        assert corners(decoded.image) == UPRIGHT
        assert decoded.image.size == (64, 48)
        assert (decoded.metadata.width, decoded.metadata.height) == (64, 48)
        assert decoded.metadata.format == file_format

    @pytest.mark.parametrize("orientation", [0, 9, 99, 65535])
    def test_invalid_values_are_ignored(self, orientation: int) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert corners(decode_image(encoded(four_corners(), "JPEG", exif=exif)).image) == UPRIGHT

    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
    @pytest.mark.parametrize("where", [0, 4, 8])
    @pytest.mark.parametrize("damage", [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x08\0\0\1"])
    def test_a_broken_exif_does_not_lose_the_picture(self, file_format: str, where: int, damage: bytes) -> None:
        """Damaged in turn: byte order, offset of the first directory, number of entries in it."""
        exif = Image.Exif()
        exif[0x010F] = "Canon"
        content = exif.tobytes()
        content = content[: 6 + where] + damage + content[10 + where :]
        if file_format == "AVIF":  # its encoder refuses a broken one
            picture = encoded(four_corners(), file_format, exif=exif).replace(exif.tobytes()[6:], content[6:])
        else:
            picture = encoded(four_corners(), file_format, exif=content)
        assert corners(decode_image(picture).image) == UPRIGHT

    @pytest.mark.parametrize("offset", [0, 1, 8, 2**31, 2**32 - 1])
    def test_a_broken_exif_directory_does_not_lose_a_tiff(self, offset: int) -> None:
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
        content = encoded(four_corners(), "TIFF", exif=exif.tobytes())
        where = content.index(struct.pack("<H", 0x8769), 8) + 8
        broken = content[:where] + struct.pack("<L", offset) + content[where + 4 :]
        assert corners(decode_image(broken).image) == UPRIGHT

    def test_an_avif_with_an_unreadable_exif_keeps_its_turn(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        exif[0x010F] = "Canon"
        stored = four_corners().transpose(Image.Transpose.ROTATE_90)
        content = encoded(stored, "AVIF", exif=exif).replace(b"MM\0*", b"????")
        assert corners(decode_image(content).image) == UPRIGHT


def test_a_picture_that_is_open_already_is_brought_to_the_same() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(four_corners().transpose(Image.Transpose.ROTATE_90).quantize(4), "PNG", exif=exif)
    assert corners(upright_rgb(Image.open(io.BytesIO(content)))) == UPRIGHT
    assert upright_rgb(Image.new("RGBA", (2, 2))).getpixel((0, 0)) == (255, 255, 255)
    with pytest.raises(ImageReadError, match="truncated"):
        upright_rgb(Image.open(io.BytesIO(content[:-40])))


class TestModes:
    """Every mode Pillow may give becomes RGB with the colours people see."""

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa", "La"])
    def test_transparent_parts_are_white(self, mode: str) -> None:
        image = Image.new("RGBA", (20, 10), (0, 0, 0, 0))
        image.paste((0, 0, 0, 255), (10, 0, 20, 10))
        if mode == "PA":
            converted = image.convert("RGB").quantize(2)
            converted.putalpha(image.getchannel("A"))
        else:
            converted = image.convert("LA").convert(mode) if mode in ("LA", "La") else image.convert(mode)
        assert converted.mode == mode
        result = to_rgb(converted)
        assert result.mode == "RGB"
        assert (result.getpixel((5, 5)), result.getpixel((15, 5))) == ((255, 255, 255), (0, 0, 0))

    def test_half_transparent_parts_are_mixed_with_white(self) -> None:
        decoded = decode_image(encoded(Image.new("RGBA", (9, 9), (255, 0, 0, 128)), "PNG"))
        assert decoded.image.getpixel((4, 4)) == (255, 127, 127)

    def test_palette_and_key_transparency_is_white(self) -> None:
        palette = four_corners().quantize(4)
        red = palette.getpixel((0, 0))
        for options in ({"transparency": red}, {"transparency": bytes(0 if i == red else 255 for i in range(4))}):
            decoded = decode_image(encoded(palette, "PNG", **options))
            assert corners(decoded.image) == [(255, 255, 255), *UPRIGHT[1:]]
        decoded = decode_image(encoded(four_corners(), "PNG", transparency=(255, 0, 0)))
        assert corners(decoded.image) == [(255, 255, 255), *UPRIGHT[1:]]
        decoded = decode_image(encoded(four_corners().convert("L"), "PNG", transparency=76))  # red as grey
        assert decoded.image.getpixel((5, 5)) == (255, 255, 255)
        assert corners(decode_image(encoded(palette, "GIF", transparency=red)).image)[0] == (255, 255, 255)

    @pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "P", "RGBA", "RGBX"])
    def test_colour_modes_keep_their_colours(self, mode: str) -> None:
        image = four_corners()
        if mode == "LAB":
            image = Image.merge("LAB", [Image.new("L", (64, 48), level) for level in (136, 208, 195)])  # pure red
        else:
            image = image.convert(mode)
        decoded = decode_image(encoded(image, "TIFF"))
        assert corners(decoded.image) == ([(255, 0, 0)] * 4 if mode == "LAB" else UPRIGHT)

    def test_cmyk_jpeg_is_not_inverted(self) -> None:
        assert corners(decode_image(encoded(four_corners().convert("CMYK"), "JPEG", quality=95)).image) == UPRIGHT

    @pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
    def test_sixteen_bits_are_scaled_from_their_full_range(self, file_format: str) -> None:
        ramp = np.array([[0, 128, 257, 32896, 65535]] * 3, dtype=np.uint16)
        decoded = decode_image(encoded(Image.fromarray(ramp), file_format))
        assert np.asarray(decoded.image)[1, :, 0].tolist() == [0, 0, 1, 128, 255]

    def test_sixteen_bits_with_a_transparent_key(self) -> None:
        content = encoded(Image.fromarray(np.array([[5000, 40000]], dtype=np.uint16)), "PNG")
        key = b"tRNS" + struct.pack(">H", 5000)
        chunk = struct.pack(">I", 2) + key + struct.pack(">I", zlib.crc32(key))
        decoded = decode_image(content[:33] + chunk + content[33:])
        assert np.asarray(decoded.image)[0, :, 0].tolist() == [255, 156]

    @pytest.mark.parametrize(
        ("numbers", "expected"),
        [
            ([0.0, 0.5, 1.0], [0, 128, 255]),
            ([0.0, 100.4, 255.0], [0, 100, 255]),
            ([0.0, 257.0, 65535.0], [0, 1, 255]),
            ([-1.0, 0.0, 1.0], [0, 128, 255]),
            ([1e6, 2e6, 3e6], [0, 128, 255]),
            ([-3e38, 0.0, 3e38], [0, 128, 255]),
            ([float("nan"), 0.5, float("inf")], [0, 128, 255]),
            ([float("nan"), 0.0, 1.0], [0, 0, 255]),
            ([float("-inf"), 10.0, 20.0], [0, 10, 20]),
            ([float("nan")] * 3, [0, 0, 0]),
            ([0.0] * 3, [0, 0, 0]),
            ([1e9] * 3, [0, 0, 0]),
        ],
    )
    def test_floats_keep_their_range(self, numbers: list[float], expected: list[int]) -> None:
        decoded = decode_image(encoded(Image.fromarray(np.array([numbers], dtype=np.float32)), "TIFF"))
        assert np.asarray(decoded.image)[0, :, 1].tolist() == expected

    @pytest.mark.parametrize(
        ("numbers", "expected"),
        [
            ([0, 1, 1], [0, 1, 1]),
            ([0, 100, 255], [0, 100, 255]),
            ([0, 2570, 65535], [0, 10, 255]),
            ([-100, 0, 155], [0, 100, 255]),
            ([-(2**31), 0, 2**31 - 1], [0, 128, 255]),
        ],
    )
    def test_integers_keep_their_range(self, numbers: list[int], expected: list[int]) -> None:
        decoded = decode_image(encoded(Image.fromarray(np.array([numbers], dtype=np.int32)), "TIFF"))
        assert np.asarray(decoded.image)[0, :, 1].tolist() == expected

    def test_the_first_frame_counts(self) -> None:
        first, *others = (Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue"))
        for file_format in ("GIF", "PNG", "WEBP", "TIFF", "AVIF", "MPO"):
            content = encoded(first, file_format, save_all=True, append_images=others)
            assert corners(decode_image(content).image) == [(255, 0, 0)] * 4, file_format

    def test_strips_give_the_same_as_the_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(5)
        pictures = [
            encoded(Image.fromarray(rng.integers(0, 256, (37, 53, 4), dtype=np.uint8)), "PNG"),
            encoded(Image.fromarray(rng.random((37, 53), dtype=np.float32) * 1000), "TIFF"),
            encoded(four_corners().quantize(4), "PNG", transparency=1),
        ]
        whole = [np.asarray(decode_image(picture).image) for picture in pictures]
        monkeypatch.setattr("clipsearch.images.colours.rgb._STRIP_PIXELS", 200)
        for picture, expected in zip(pictures, whole, strict=True):
            np.testing.assert_array_equal(np.asarray(decode_image(picture).image), expected)


class TestSource:
    def test_bytes_paths_and_files_give_the_same(self, tmp_path: Path) -> None:
        content = encoded(four_corners(), "PNG")
        path = tmp_path / "not a jpeg.jpg"
        path.write_bytes(content)
        with path.open("rb") as file:
            file.seek(7)
            sources: list[Any] = [content, path, str(path), io.BytesIO(content), file]
            for source in sources:
                assert corners(decode_image(source).image) == UPRIGHT
            assert not file.closed

    def test_a_stream_that_cannot_seek_is_read_whole(self) -> None:
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb") as sink:
            sink.write(encoded(Image.new("RGB", (9, 9)), "PNG"))
            sink.close()
            assert decode_image(stream).image.size == (9, 9)

    def test_the_picture_outlives_its_file(self, tmp_path: Path) -> None:
        for file_format in ("JPEG", "GIF", "PNG", "WEBP", "TIFF"):
            path = tmp_path / "x"
            path.write_bytes(encoded(four_corners(), file_format))
            image = decode_image(path).image
            path.unlink()
            assert image.resize((8, 6)).size == (8, 6)
            assert corners(image.copy()) == UPRIGHT

    def test_what_is_no_regular_file_is_not_opened(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.jpg")
        for path in (tmp_path / "pipe.jpg", tmp_path, "/dev/zero"):
            with pytest.raises(ImageReadError, match="not a regular file"):
                decode_image(path)


TRUNCATED = "truncated: too little of it can be decoded"


class TestErrors:
    """The reason is short, without the path and without memory addresses."""

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "empty file"),
            (b"hello, this is a text", "not a picture of a kind that can be read"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture of a kind that can be read"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\0nope\0\0\0\0", "damaged: its header can't be read"),
            (b"RIFF\x04\0\0\0WEBP", "damaged: its header can't be read"),
            (encoded(four_corners(), "JPEG")[:600], TRUNCATED),
            (encoded(four_corners(), "PNG")[:-40], TRUNCATED),
        ],
    )
    def test_reasons(self, content: bytes, reason: str) -> None:
        with pytest.raises(ImageReadError) as caught:
            decode_image(content)
        assert str(caught.value) == reason

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(ImageReadError, match=r"^no such file or directory$"):
            decode_image(tmp_path / "missing.jpg")

    def test_whatever_a_decoder_raises_becomes_an_image_read_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        errors = [
            OSError(f"cannot read {io.BytesIO()!r}\nat all"),
            MemoryError(),
            RuntimeError("at 0x7f0012345678"),
            NotImplementedError(),
            RecursionError("x" * 1000),
            struct.error("unpack"),
            EOFError(),
            KeyError("mode"),
        ]
        reasons = []
        for error in errors:
            with monkeypatch.context() as patch, pytest.raises(ImageReadError) as caught:

                def fail(*_: object, error: Exception = error, **__: object) -> None:
                    raise error

                patch.setattr(Image, "open", fail)
                decode_image(b"GIF89a")
            reasons.append(str(caught.value))
        assert reasons[:3] == ["damaged: cannot read at all", "not enough memory to decode it", "damaged: at"]
        assert reasons[5:7] == [TRUNCATED, TRUNCATED]
        assert not any("0x" in reason or "\n" in reason or len(reason) > 120 for reason in reasons)

    def test_a_bomb_is_refused_before_it_is_decoded(self) -> None:
        bomb = png_of_zeros(20000, 20000)
        start = time.perf_counter()
        with pytest.raises(ImageReadError, match=r"^too large: 400 megapixels, the limit is 256$"):
            decode_image(bomb)
        assert time.perf_counter() - start < 1
        with pytest.raises(ImageReadError, match=r"^too large: 1 megapixels, the limit is 0.5$"):
            decode_image(png_of_zeros(1000, 1000), max_megapixels=0.5)
        with pytest.raises(ImageReadError, match=r"^too large: 400 megapixels, the limit is 10$"):
            decode_image(bomb, max_megapixels=10)  # here Pillow's own limit is the first to be met


class TestPillowSettings:
    """Pillow's and Python's global settings are as before once nothing is being decoded."""

    def test_large_pictures_neither_warn_nor_fail(self) -> None:
        limit = Image.MAX_IMAGE_PIXELS
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            before = list(warnings.filters)
            decoded = decode_image(png_of_zeros(10000, 9500))  # 95 megapixels; Pillow warns from 89
            assert list(warnings.filters) == before
        assert decoded.image.size == (10000, 9500)
        assert caught == []
        assert limit == Image.MAX_IMAGE_PIXELS

    def test_settings_are_put_back_after_errors_and_threads(self) -> None:
        limit, before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
        content = encoded(four_corners(), "JPEG")

        def decode_many(seed: int) -> None:
            for number in range(60):
                with contextlib.suppress(ImageReadError):
                    decode_image(content[: 100 + 10 * (number + seed)], max_megapixels=100 + 100 * seed)

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(decode_many, range(6)))
        assert (limit, before) == (Image.MAX_IMAGE_PIXELS, list(warnings.filters))

    def test_a_program_that_switched_the_limit_off_keeps_it_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
        decode_image(encoded(four_corners(), "PNG"))
        assert Image.MAX_IMAGE_PIXELS is None

    def test_pillow_stays_silent_on_broken_exif(self, capfd: pytest.CaptureFixture[str]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            decode_image(encoded(four_corners(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40))
        assert capfd.readouterr() == ("", "")


def test_big_pictures_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipsearch.images.decode._BIG_MEGAPIXELS", 0.001)
    at_once, most, lock = 0, 0, threading.Lock()
    load = Image.Image.load

    def counting_load(self: Image.Image) -> Any:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.01)
        try:
            return load(self)
        finally:
            with lock:
                at_once -= 1

    content = encoded(four_corners(), "PNG")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", counting_load)
    with contextlib.suppress(ImageReadError), ThreadPoolExecutor(4) as pool:
        list(pool.map(decode_image, [content] * 8))
    assert most == 1
