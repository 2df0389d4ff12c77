"""Small pictures of the rarer kinds: what Pillow writes, and writers of the test's own for the others."""

import io
import struct
import zipfile
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from clipsearch.formats import Extra, is_installed
from tests.fuzz.pictures import exif_of_a_camera
from tests.support.make_hostile import draw_scene

WIDTH, HEIGHT = 48, 32


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.copy().save(buffer, file_format, **options)
    return buffer.getvalue()


def with_alpha(image: Image.Image) -> Image.Image:
    result = image.convert("RGBA")
    result.putalpha(Image.linear_gradient("L").resize(image.size))
    return result


def on_white(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")


def pack_bits(row: bytes) -> bytes:
    """A row in PackBits: literal runs, and a repeat where a row is of one value."""
    if len(row) <= 128 and len(set(row)) == 1 and len(row) > 1:
        return bytes([257 - len(row), row[0]])
    return b"".join(bytes([len(row[at : at + 128]) - 1]) + row[at : at + 128] for at in range(0, len(row), 128))


def psd(
    image: Image.Image,
    *,
    depth: int = 8,
    packed: bool = True,
    big: bool = False,
    layers: int = 0,
    resources: dict[int, bytes] | None = None,
    colours: int | None = None,
) -> bytes:
    """A PSD whose composite is an image of mode 1, L, P, RGB, RGBA or CMYK; `layers` as in the file: maybe negative."""
    modes = {"1": 0, "L": 1, "P": 2, "RGB": 3, "RGBA": 3, "CMYK": 4}
    planes = [np.asarray(band) for band in image.split()]
    if image.mode == "CMYK":
        planes = [255 - plane for plane in planes]
    if depth == 1:
        rows = [[np.packbits(~np.asarray(image)[y]).tobytes() for y in range(image.height)]]
    elif depth == 8:
        rows = [[plane[y].tobytes() for y in range(image.height)] for plane in planes]
    elif depth == 16:
        rows = [[(plane[y].astype(">u2") * 257).tobytes() for y in range(image.height)] for plane in planes]
    else:
        linear = [((plane / 255 + 0.055) / 1.055) ** 2.4 for plane in planes]
        rows = [[plane[y].astype(">f4").tobytes() for y in range(image.height)] for plane in linear]
    head = struct.pack(
        ">4sH6xHIIHH", b"8BPS", 2 if big else 1, len(rows), image.height, image.width, depth,
        modes[image.mode] if colours is None else colours,
    )  # fmt: skip
    palette = b""
    if image.mode == "P":
        palette = np.frombuffer(bytes(image.getpalette() or ()).ljust(768, b"\0"), np.uint8).reshape(256, 3).T.tobytes()
    described = b"".join(
        b"8BIM" + struct.pack(">HHI", kind, 0, len(content)) + content + b"\0" * (len(content) % 2)
        for kind, content in (resources or {}).items()
    )
    count = struct.pack(">h", layers)
    layer_info = struct.pack(">Q" if big else ">I", len(count)) + count if layers else b""
    body = struct.pack(">I", len(palette)) + palette + struct.pack(">I", len(described)) + described
    body += struct.pack(">Q" if big else ">I", len(layer_info)) + layer_info
    if not packed:
        return head + body + b"\0\0" + b"".join(b"".join(plane) for plane in rows)
    runs = [pack_bits(row) for plane in rows for row in plane]
    lengths = b"".join(struct.pack(">I" if big else ">H", len(run)) for run in runs)
    return head + body + b"\0\1" + lengths + b"".join(runs)


def fits(values: np.ndarray, *, cards: dict[str, object] | None = None, before: bytes = b"") -> bytes:
    """A FITS file of values (height, width) or (planes, height, width), the first row at the top."""
    bits = {"uint8": 8, "int16": 16, "int32": 32, "float32": -32, "float64": -64}[values.dtype.name]
    axes = {f"NAXIS{number + 1}": length for number, length in enumerate(values.shape[::-1])}
    first = {"XTENSION": "'IMAGE   '"} if before else {"SIMPLE": "T"}
    header = first | {"BITPIX": bits, "NAXIS": values.ndim} | axes | (cards or {})
    text = "".join(f"{key:8}= {value!s:>20} / a comment".ljust(80) for key, value in header.items()) + "END".ljust(80)
    content = np.atleast_2d(values)[..., ::-1, :].astype(values.dtype.newbyteorder(">")).tobytes()
    return before + text.ljust(-(-len(text) // 2880) * 2880).encode("ascii") + content + bytes(-len(content) % 2880)


def without_picture() -> bytes:
    """The first unit of a FITS file whose picture is in the second."""
    text = "".join(
        f"{key:8}= {value:>20}".ljust(80) for key, value in {"SIMPLE": "T", "BITPIX": "8", "NAXIS": "0"}.items()
    )
    return (text + "END".ljust(80)).ljust(2880).encode("ascii")


def zipped(image: Image.Image, mimetype: str = "application/x-krita", name: str = "mergedimage.png") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as members:
        members.writestr("mimetype", mimetype)
        members.writestr(name, encoded(image, "PNG"))
    return buffer.getvalue()


def xpm() -> bytes:
    return b"/* XPM */\nstatic char *a[] = {\n" + b'"3 2 2 1",\n"r c #FF0000",\n"b c #0000FF",\n"rrr",\n"bbb"};\n'


@cache
def samples_of_extras() -> dict[str, tuple[str, bytes]]:
    """{kind: (suffix, content)} of kinds whose extra is installed."""
    made = {}
    if is_installed(Extra("svg", "resvg_py")):
        shapes = (
            '<defs><g id="a"><rect width="9" height="9" fill="red"/></g><filter id="f"><feGaussianBlur '
            'stdDeviation="2"/></filter><linearGradient id="g"><stop offset="0.3" stop-color="lime"/></linearGradient>'
            '<style>circle{fill:url(#g)}</style></defs><circle cx="9" cy="9" r="8" filter="url(#f)"/>'
            '<use href="#a" x="5" transform="rotate(20)"/><path d="M1 1 C 2 2 9 5 4 8 z" stroke="blue"/>'
        )
        made["svg"] = ".svg", f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 10">{shapes}</svg>'.encode()
    if is_installed(Extra("jxl", "imagecodecs")):
        from imagecodecs import jpegxl_encode

        scene = np.asarray(draw_scene(WIDTH, HEIGHT))
        made["jxl"] = ".jxl", bytes(jpegxl_encode(scene))
        made["jxl in boxes"] = ".jxl", bytes(jpegxl_encode(scene, lossless=True, usecontainer=True))
    return made


@cache
def rare_samples() -> dict[str, tuple[str, str, bytes, Image.Image]]:
    """{kind: (suffix, format, content, how it should look)}, 48 × 32 but for icons and the pixmap."""
    scene = draw_scene(WIDTH, HEIGHT)
    clear, grey, two = with_alpha(scene), scene.convert("L"), scene.convert("1")
    few = scene.quantize(16)
    thumb = clear.resize((32, 32))
    metadata = {1058: exif_of_a_camera()[6:]}
    return {
        "tga": (".tga", "TGA", encoded(scene, "TGA"), scene),
        "tga rle": (".tga", "TGA", encoded(scene, "TGA", compression="tga_rle"), scene),
        "tga alpha": (".tga", "TGA", encoded(clear, "TGA"), on_white(clear)),
        "tga palette": (".tga", "TGA", encoded(few, "TGA"), few),
        "tga grey": (".tga", "TGA", encoded(grey, "TGA", compression="tga_rle"), grey),
        "pcx": (".pcx", "PCX", encoded(scene, "PCX"), scene),
        "pcx palette": (".pcx", "PCX", encoded(few, "PCX"), few),
        "sgi": (".sgi", "SGI", encoded(scene, "SGI"), scene),
        "sgi 16 bit": (".sgi", "SGI", encoded(scene, "SGI", bpc=2), scene),
        "xbm": (".xbm", "XBM", encoded(two, "XBM"), two),
        "xpm": (".xpm", "XPM", xpm(), Image.frombytes("RGB", (3, 2), b"\xff\0\0" * 3 + b"\0\0\xff" * 3)),
        "qoi": (".qoi", "QOI", encoded(scene, "QOI"), scene),
        "dds": (".dds", "DDS", encoded(scene, "DDS"), scene),
        "dds alpha": (".dds", "DDS", encoded(clear, "DDS"), on_white(clear)),
        "dds grey": (".dds", "DDS", encoded(grey, "DDS"), grey),
        "dds dxt1": (".dds", "DDS", encoded(scene.convert("RGBA"), "DDS", pixel_format="DXT1"), scene),
        "dds dxt5": (".dds", "DDS", encoded(clear, "DDS", pixel_format="DXT5"), on_white(clear)),
        "ico": (".ico", "ICO", encoded(thumb, "ICO", sizes=[(16, 16), (32, 32)]), on_white(thumb)),
        "ico bitmaps": (".ico", "ICO", encoded(thumb, "ICO", sizes=[(32, 32)], bitmap_format="bmp"), on_white(thumb)),
        "icns": (".icns", "ICNS", encoded(clear.resize((1024, 1024)), "ICNS"), on_white(clear.resize((1024, 1024)))),
        "psd": (".psd", "PSD", psd(scene, resources=metadata), scene),
        "psd 16 bit": (".psd", "PSD", psd(scene, depth=16, packed=False), scene),
        "psd 32 bit": (".psd", "PSD", psd(scene, depth=32, packed=False), scene),
        "psd 1 bit": (".psd", "PSD", psd(two, depth=1), two),
        "psd palette": (".psd", "PSD", psd(few, packed=False), few),
        "psd cmyk": (".psd", "PSD", psd(scene.convert("CMYK")), scene.convert("CMYK")),
        "psd alpha": (".psd", "PSD", psd(clear, layers=-1), on_white(clear)),
        "psb 16 bit": (".psb", "PSD", psd(grey, depth=16, big=True), grey),
        "kra": (".kra", "KRA", zipped(clear), on_white(clear)),
        "ora": (".ora", "ORA", zipped(scene, "image/openraster"), scene),
        "fits": (".fits", "FITS", fits(np.asarray(grey)), grey),
        "fits colours": (".fits", "FITS", fits(np.moveaxis(np.asarray(scene), 2, 0)), scene),
        "fits extension": (".fits", "FITS", fits(np.asarray(grey), before=without_picture()), grey),
    }  # fmt: skip
