"""Small pictures in every format that Pillow writes, and ways to damage them."""

import io
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from PIL import Image

from clipsearch.images.pillow_settings import decoding_settings
from tests.support.make_hostile import draw_scene
from tests.support.raw_files import raw_file, scan

# Larger files take most of the time to be damaged.
_MOST_BYTES = 100_000

PNG_START = b"\x89PNG\r\n\x1a\n"


def exif_of_a_camera() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F], exif[0x0110] = "Canon", "EOS 5D"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    exif.get_ifd(0x8825).update({1: "N", 2: (50.0, 6.0, 0.0), 3: "E", 4: (8.0, 40.0, 0.0)})
    return exif.tobytes()


@cache
def samples() -> dict[str, bytes]:
    """{kind: content of a file}, each picture 48 × 32 and most with EXIF."""
    scene = draw_scene(48, 32)
    alpha = scene.convert("RGBA")
    alpha.putalpha(Image.linear_gradient("L").resize(scene.size))

    def frames() -> dict[str, Any]:  # encoders leave their settings on them
        return {"save_all": True, "append_images": [scene.rotate(90), scene.rotate(180)]}

    exif = {"exif": exif_of_a_camera()}
    wanted = [
        ("jpeg", scene, "JPEG", exif),
        ("jpeg progressive", scene, "JPEG", {**exif, "progressive": True}),
        ("jpeg cmyk", scene.convert("CMYK"), "JPEG", {}),
        ("jpeg grey", scene.convert("L"), "JPEG", {"restart_marker_rows": 1}),
        ("mpo", scene, "MPO", frames()),
        ("png", scene, "PNG", exif),
        ("png palette", scene.quantize(16), "PNG", {"transparency": 3}),
        ("png 16 bit", scene.convert("I;16"), "PNG", {}),
        ("png animated", alpha, "PNG", {"save_all": True, "append_images": [alpha.rotate(90)]}),
        ("webp", scene, "WEBP", exif),
        ("webp lossless", alpha, "WEBP", {"lossless": True}),
        ("webp animated", scene, "WEBP", frames()),
        ("gif", scene.quantize(), "GIF", {"transparency": 1}),
        ("gif animated", scene, "GIF", frames()),
        ("tiff", scene, "TIFF", exif),
        ("tiff lzw", alpha, "TIFF", {"compression": "tiff_lzw"}),
        ("tiff deflate", scene, "TIFF", {"compression": "tiff_deflate"}),
        ("tiff jpeg", scene, "TIFF", {"compression": "jpeg", "quality": 80}),
        ("tiff fax", scene.convert("1"), "TIFF", {"compression": "group4"}),
        ("tiff float", scene.convert("F"), "TIFF", {}),
        ("tiff pages", scene, "TIFF", frames()),
        ("bmp", scene, "BMP", {}),
        ("bmp palette", scene.quantize(16), "BMP", {}),
        ("avif", scene, "AVIF", exif),
        ("avif animated", alpha, "AVIF", {"save_all": True, "append_images": [alpha.rotate(90)]}),
        ("heif", scene, "HEIF", exif),
        ("heif alpha", alpha, "HEIF", {}),
        ("jp2", scene, "JPEG2000", {}),
        ("j2k", scene, "JPEG2000", {"no_jp2": True, "irreversible": True}),
        ("ppm", scene, "PPM", {}),
        ("pgm", scene.convert("I;16"), "PPM", {}),
        ("pbm", scene.convert("1"), "PPM", {}),
        ("pfm", scene.convert("F"), "PPM", {}),
    ]
    made = {}
    with decoding_settings(1):  # registers all formats
        for kind, image, file_format, options in wanted:
            buffer = io.BytesIO()
            image.copy().save(buffer, file_format, **options)
            made[kind] = buffer.getvalue()
    return made


@cache
def raw_samples() -> list[bytes]:
    """Small raw files of several makers, with and without a preview, and what is shared of real ones."""
    scene, preview = draw_scene(360, 240), draw_scene(600, 400)  # LibRaw refuses smaller sensors
    makers = (("NIKON CORPORATION", "NIKON D70"), ("SONY", "DSLR-A100"), ("PENTAX", "PENTAX K10D"), ("Canon", "EOS 5D"))
    files = [
        raw_file(scene, make=make, model=model, is_dng=make == "Canon", preview=shown, order=order)
        for make, model in makers
        for shown, order in ((None, "<"), (preview, ">"))
    ]
    folder = Path(__file__).parents[3] / "shared/raw"
    return [
        *files,
        scan(scene),
        *(path.read_bytes() for path in sorted(folder.glob("*.[!m]*")) if path.stat().st_size < _MOST_BYTES),
    ]


def with_right_checksums(content: bytes) -> bytes:
    """A PNG whose chunks pass their checks, so that what is wrong in them is seen; other content as it is."""
    if not content.startswith(PNG_START):
        return content
    parts, place = [PNG_START], len(PNG_START)
    while place + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        chunk = content[place + 4 : place + 8 + length]
        parts.append(struct.pack(">I", length) + chunk + struct.pack(">I", zlib.crc32(chunk)))
        place += 12 + length
    return b"".join(parts)


# Lengths, counts and sizes are broken by such bytes sooner than by others.
_BYTES = st.binary(min_size=1, max_size=8) | st.sampled_from(
    [
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\x80\0\0\0",
        b"\0\0\0\0",
        b"\xff\xff",
        b"\0\0",
        b"\xff\xd8\xff\xe1",
        b"\0\1",
    ]
)


@st.composite
def damaged(draw: st.DrawFn, contents: st.SearchStrategy[bytes]) -> bytes:
    """Bits flipped, bytes replaced, parts cut out, doubled, or taken from another content."""
    content = draw(contents)
    for _ in range(draw(st.integers(1, 3))):
        # Headers are worth more tries than pixels.
        end = len(content) if draw(st.booleans()) else min(len(content), 200)
        start = draw(st.integers(0, end))
        length = draw(st.integers(0, 64) | st.integers(0, len(content)))
        match draw(st.sampled_from(["flip", "write", "cut", "end", "double", "splice", "insert"])):
            case "flip" if start < len(content):
                flipped = content[start] ^ (1 << draw(st.integers(0, 7)))
                content = content[:start] + bytes([flipped]) + content[start + 1 :]
            case "write":
                written = draw(_BYTES)
                content = content[:start] + written + content[start + len(written) :]
            case "cut":
                content = content[:start] + content[start + length :]
            case "end":
                content = content[:start]
            case "double":
                content = content[: start + length] + content[start : start + length] + content[start + length :]
            case "splice":
                other = draw(contents)
                content = content[:start] + other[start:]
            case "insert":
                content = content[:start] + draw(_BYTES) + content[start:]
    return with_right_checksums(content) if draw(st.booleans()) else content
