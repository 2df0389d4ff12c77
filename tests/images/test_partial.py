"""Pictures whose end is missing are taken as far as they go; sound ones of an unusual kind are not called damaged."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import ImageReadError
from clipsearch.images.decode import decode_image, read_header
from clipsearch.images.jpeg import read_scans

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data" / "animals" / "cat.jpg"
PICTURE = Image.fromarray(
    np.asarray(decode_image(SAMPLE).image.resize((320, 240)))
)  # registers HEIF, so that it can be written

KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "jpeg": ("JPEG", "RGB", {}),
    "progressive": ("JPEG", "RGB", {"progressive": True}),
    "grey jpeg": ("JPEG", "L", {}),
    "cmyk jpeg": ("JPEG", "CMYK", {}),
    "png": ("PNG", "RGB", {}),
    "palette png": ("PNG", "P", {}),
    "alpha png": ("PNG", "RGBA", {}),
    "16-bit png": ("PNG", "I;16", {}),
    "gif": ("GIF", "P", {}),
    "bmp": ("BMP", "RGB", {}),
    "palette bmp": ("BMP", "P", {}),
    "tiff": ("TIFF", "RGB", {}),
    "ppm": ("PPM", "RGB", {}),
    "webp": ("WEBP", "RGB", {}),
    "lossless webp": ("WEBP", "RGB", {"lossless": True}),
    "avif": ("AVIF", "RGB", {}),
    "heif": ("HEIF", "RGB", {}),
    "jpeg 2000": ("JPEG2000", "RGB", {}),
}


def encoded(kind: str) -> bytes:
    file_format, mode, options = KINDS[kind]
    picture = PICTURE.convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)
    content = io.BytesIO()
    picture.save(content, file_format, **options)
    return content.getvalue()


def difference(content: bytes, whole: bytes, rows: float) -> float:
    """Mean difference of the upper part of the pixels."""
    one, other = (np.asarray(decode_image(each).image).astype(float) for each in (content, whole))
    count = int(rows * len(one))
    return float(np.abs(one[:count] - other[:count]).mean())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [1, 2])
def test_without_its_last_bytes_it_is_what_it_was(kind: str, missing: int) -> None:
    whole = encoded(kind)
    if kind == "bmp":  # its rows go upwards
        assert decode_image(whole[:-missing]).image.size == decode_image(whole).image.size
        return
    assert difference(whole[:-missing], whole, 0.75) < 1
    width, height = decode_image(whole).image.size
    header = read_header(whole[:-missing])
    assert (header.width, header.height) == (width, height)


# A BMP's rows go upwards; OpenJPEG decodes whole tiles; whether dav1d takes a filling is a matter of chance.
CUT = [kind for kind in KINDS if kind not in ("jpeg 2000", "bmp", "palette bmp", "avif")]


@pytest.mark.parametrize("kind", CUT)
def test_what_is_there_of_the_rows_is_taken(kind: str) -> None:
    whole = encoded(kind)
    content = whole[: int(0.91 * len(whole))]
    assert difference(content, whole, 0.75) < (12 if kind == "progressive" else 1)
    share = decode_image(content).metadata.decoded_share
    assert share is not None and 0.75 <= share <= 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "progressive"])
def test_with_half_of_its_bytes_it_is_refused(kind: str) -> None:
    whole = encoded(kind)
    with pytest.raises(ImageReadError):
        decode_image(whole[: len(whole) // 2])


def test_a_bmp_lacks_its_upper_rows() -> None:
    whole = encoded("bmp")
    decoded = decode_image(whole[: int(0.9 * len(whole))])
    pixels, all_of_it = np.asarray(decoded.image), np.asarray(decode_image(whole).image)
    count = len(pixels) // 8
    assert (pixels[count:] == all_of_it[count:]).all()
    assert (pixels[0] == 128).all()
    assert decoded.metadata.decoded_share == pytest.approx(0.9, abs=0.02)


def test_missing_rows_are_grey_and_whole_pictures_say_nothing() -> None:
    whole = encoded("png")
    assert decode_image(whole).metadata.decoded_share is None
    decoded = decode_image(whole[: int(0.85 * len(whole))])
    assert (np.asarray(decoded.image)[-1] == 128).all()


def test_a_transparent_gif_is_not_taken_for_whole() -> None:
    picture = PICTURE.quantize(200)
    content = io.BytesIO()
    picture.save(content, "GIF", transparency=3)
    with pytest.raises(ImageReadError, match="truncated"):
        decode_image(content.getvalue()[: len(content.getvalue()) // 2])


def test_the_orientation_and_date_are_kept() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9003] = "2019:07:04 10:00:00"
    content = io.BytesIO()
    PICTURE.resize((300, 200)).save(content, "JPEG", exif=exif)
    decoded = decode_image(content.getvalue()[:-9])
    assert decoded.image.size == (200, 300) == (decoded.metadata.width, decoded.metadata.height)
    assert str(decoded.metadata.taken_at) == "2019-07-04 10:00:00"


def test_a_claim_of_gigabytes_is_not_filled_up() -> None:
    content = bytearray(encoded("webp"))
    content[4:8] = struct.pack("<I", 0xFFFFFFF0)
    with pytest.raises(ImageReadError):
        decode_image(bytes(content))


def tiff(tags: dict[int, tuple[int, ...]]) -> bytes:
    """A little-endian TIFF of 8 × 8 pixels with these tags, all of type LONG but one of several values: SHORT."""
    known = {256: (8,), 257: (8,), 258: (8,), 259: (1,), 262: (1,), 273: (300,), 277: (1,), 278: (8,), 279: (64,)}
    entries, extra = b"", b""
    after = 8 + 2 + 12 * len(known | tags) + 4
    for tag, values in sorted((known | tags).items()):
        raw = struct.pack(f"<{len(values)}H", *values)
        if len(raw) <= 4:
            entries += struct.pack("<HHI", tag, 3, len(values)) + raw.ljust(4, b"\0")
        else:
            entries += struct.pack("<HHII", tag, 3, len(values), after + len(extra))
            extra += raw
    return b"II*\0" + struct.pack("<IH", 8, len(known | tags)) + entries + b"\0" * 4 + extra + bytes(4096)


def jpeg_with_frame(marker: int, precision: int = 8) -> bytes:
    content = bytearray(encoded("jpeg"))
    place = content.index(b"\xff\xc0")
    content[place + 1], content[place + 4] = marker, precision
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (tiff({258: (16, 16, 16), 262: (8,), 277: (3,)}), "TIFF"),  # 16-bit Lab
        (tiff({258: (16,), 339: (3,)}), "TIFF"),  # 16-bit floating point
        (tiff({258: (64,), 339: (3,)}), "TIFF"),
        (tiff({258: (32, 32, 32), 262: (2,), 277: (3,), 339: (3, 3, 3)}), "TIFF"),
        (tiff({259: (34887,)}), "TIFF"),  # LERC
        (tiff({259: (22610,)}), "TIFF"),  # JPEG XR
        (jpeg_with_frame(0xC3), "JPEG"),  # lossless
        (jpeg_with_frame(0xF7), "JPEG"),  # JPEG-LS
        (jpeg_with_frame(0xC1, 12), "JPEG"),  # 12 bits
    ],
)
def test_sound_files_of_an_unusual_kind_are_not_called_damaged(content: bytes, kind: str) -> None:
    with pytest.raises(ImageReadError, match=f"^not supported: an unusual kind of {kind} "):
        decode_image(content)


@pytest.mark.parametrize(
    ("compression", "zeros"), [("tiff_lzw", 20), ("tiff_lzw", 100), ("packbits", 100), ("packbits", 200), ("jpeg", 340)]
)
def test_a_tiff_with_zeros_for_its_directory_is_damaged_not_unusual(compression: str, zeros: int) -> None:
    content = io.BytesIO()
    PICTURE.save(content, "TIFF", compression=compression)
    with pytest.raises(ImageReadError, match=r"^(damaged|truncated)"):
        decode_image(content.getvalue()[:-zeros] + bytes(zeros))


@pytest.mark.parametrize("missing", [1, 2, 20])
def test_a_tiff_without_the_end_of_its_directory_is_damaged_not_unusual(missing: int) -> None:
    content = io.BytesIO()
    PICTURE.save(content, "TIFF", compression="tiff_lzw")
    with pytest.raises(ImageReadError, match=r"^(damaged|truncated)"):
        decode_image(content.getvalue()[:-missing])


@pytest.mark.parametrize(
    "content",
    [
        b"RIFF\x64\0\0\0WAVEfmt " + bytes(90),
        b"RIFF\x64\0\0\0AVI LIST" + bytes(90),
        b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(50),
        b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(50),
        b"%PDF-1.7\n" + bytes(50),
        b"gimp xcf v011" + bytes(50),
    ],
)
def test_what_is_no_picture_is_not_called_damaged(content: bytes) -> None:
    with pytest.raises(ImageReadError, match=r"^not a picture of a kind that can be read$"):
        decode_image(content)


def test_a_container_that_turns_its_picture_lacks_columns() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = io.BytesIO()
    PICTURE.save(content, "HEIF", exif=exif.tobytes())
    whole = content.getvalue()
    image = np.asarray(decode_image(whole[: int(0.93 * len(whole))]).image)
    greys = (image == 128).all(axis=2)
    assert greys.mean() > 0.02
    assert not greys.all(axis=1).any()  # no whole row


RAW = ("bmp", "palette bmp", "tiff", "ppm")  # zeros are black pixels
COMPRESSED = [kind for kind in KINDS if kind not in RAW]


@pytest.mark.parametrize("kind", COMPRESSED)
@pytest.mark.parametrize("share", [0.5, 0.91])
def test_an_end_of_zeros_is_a_missing_end(kind: str, share: float) -> None:
    whole = encoded(kind)
    cut = whole[: int(share * len(whole))]
    zeroed = cut + bytes(len(whole) - len(cut))
    try:
        expected = decode_image(cut)
    except ImageReadError as error:
        with pytest.raises(ImageReadError, match=f"^{error}$"):
            decode_image(zeroed)
    else:
        found = decode_image(zeroed)
        assert found.metadata.decoded_share == pytest.approx(expected.metadata.decoded_share, abs=0.02)
        assert found.metadata.is_coarse == expected.metadata.is_coarse
        assert (np.asarray(found.image) == np.asarray(expected.image)).mean() > 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_behind_a_whole_picture_are_of_no_account(kind: str) -> None:
    whole = encoded(kind)
    found = decode_image(whole + bytes(4096))
    assert found.metadata.decoded_share is None
    assert (np.asarray(found.image) == np.asarray(decode_image(whole).image)).all()


@pytest.mark.parametrize("kind", ["webp", "avif", "heif"])
def test_zeros_that_a_container_holds_besides_the_picture_are_of_no_account(kind: str) -> None:
    whole = encoded(kind)
    if kind == "webp":
        padded = b"RIFF" + struct.pack("<I", len(whole) - 8 + 4096) + whole[8:] + b"junk" + struct.pack("<I", 4088)
        padded += bytes(4088)
    else:
        padded = whole + struct.pack(">I", 4096) + b"free" + bytes(4088)
    found = decode_image(padded)
    assert found.metadata.decoded_share is None
    assert (np.asarray(found.image) == np.asarray(decode_image(whole).image)).all()


@pytest.mark.parametrize("kind", RAW)
def test_a_picture_that_ends_in_black_is_whole(kind: str) -> None:
    content = io.BytesIO()
    file_format, mode, _ = KINDS[kind]
    Image.new(mode, (64, 64)).save(content, file_format)
    assert decode_image(content.getvalue()).metadata.decoded_share is None


@pytest.mark.parametrize("kind", ["webp", "lossless webp", "avif", "heif", "jpeg 2000"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_container_that_breaks_off_is_truncated_whatever_its_decoder_says(kind: str, share: float) -> None:
    whole = encoded(kind)
    with pytest.raises(ImageReadError, match=r"^truncated: too little of it can be decoded$"):
        decode_image(whole[: int(share * len(whole))])


def scan_starts(content: bytes) -> list[int]:
    return [place for place in range(len(content) - 1) if content[place : place + 2] == b"\xff\xda"]


def progressive(side: int) -> bytes:
    content = io.BytesIO()
    PICTURE.resize((side, side)).save(content, "JPEG", progressive=True)
    return content.getvalue()


@pytest.mark.parametrize("number", [3, 4, 5, 6, 7, 8, 9])
def test_a_progressive_jpeg_without_its_last_scans_is_coarse(number: int) -> None:
    content = progressive(256)
    starts = scan_starts(content)
    metadata = decode_image(content[: starts[number]]).metadata
    assert (metadata.decoded_share, metadata.is_coarse) == (1, True)
    whole = decode_image(content[:-200]).metadata
    assert (whole.decoded_share, whole.is_coarse) == (1, False)


def test_means_of_blocks_alone_count_for_large_pictures_only() -> None:
    small, large = progressive(256), progressive(1024)
    with pytest.raises(ImageReadError, match="truncated"):
        decode_image(small[: scan_starts(small)[1]])
    metadata = decode_image(large[: scan_starts(large)[1]]).metadata
    assert (metadata.decoded_share, metadata.is_coarse) == (1, True)
    with pytest.raises(ImageReadError, match="truncated"):  # half of the first scan
        decode_image(large[: sum(scan_starts(large)[:2]) // 2])


def jpeg_markers(frame: int, *scans: tuple[bytes, int, int, int]) -> bytes:
    """A JPEG of three components, of markers alone, with these scans: components, first, last, bits."""
    content = b"\xff\xd8\xff" + bytes([frame]) + b"\0\x11\x08\0\x08\0\x08\x03" + b"\x01\x11\0\x02\x11\0\x03\x11\0"
    for components, first, last, bits in scans:
        chosen = b"".join(bytes([component, 0]) for component in components)
        length = struct.pack(">H", 6 + len(chosen))
        content += b"\xff\xda" + length + bytes([len(components)]) + chosen + bytes([first, last, bits])
        content += b"data\xff\0data\xff\xd0data"
    return content


@pytest.mark.parametrize(
    ("content", "has_detail", "lacks_scans"),
    [
        (jpeg_markers(0xC0, (b"\1\2\3", 0, 63, 0)), True, False),
        (jpeg_markers(0xC0, (b"\1", 0, 63, 0)), True, True),  # without its colours
        (jpeg_markers(0xC1, (b"\1", 0, 63, 0), (b"\2", 0, 63, 0), (b"\3", 0, 63, 0)), True, False),
        (jpeg_markers(0xC2, (b"\1\2\3", 0, 0, 1)), False, True),
        (jpeg_markers(0xC2, (b"\1\2\3", 0, 0, 1), (b"\1", 1, 5, 2)), False, True),
        (jpeg_markers(0xC2, (b"\1\2\3", 0, 0, 0), (b"\2", 1, 63, 0), (b"\3", 1, 63, 0)), False, True),
        (jpeg_markers(0xC2, (b"\1\2\3", 0, 0, 1), (b"\1", 1, 5, 2), (b"\2", 1, 63, 0)), True, True),
    ],
)
def test_scans_tell_what_is_missing(content: bytes, has_detail: bool, lacks_scans: bool) -> None:
    scans = read_scans(content)
    assert scans is not None
    assert (scans.has_detail, scans.lacks_scans) == (has_detail, lacks_scans)


@pytest.mark.parametrize("content", [b"\xff\xd8\xff", b"\xff\xd8\xff\xda", jpeg_markers(0xC0), jpeg_markers(0xC0)[:9]])
def test_markers_that_break_off_are_no_scans(content: bytes) -> None:
    assert read_scans(content) is None
