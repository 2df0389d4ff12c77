"""CPU time and memory of decoding one picture of each rarer kind: python -m tests.benchmarks.stills

    python -m tests.benchmarks.stills --megapixels 12

A photograph of the samples is enlarged to 4:3, with noise, so that nothing compresses too well; kinds with a lower
limit get that. Each is decoded in a process of its own, three times; the median of the CPU times, and the most memory
beyond what the process had before, are printed. JPEG is there for comparison. Linux only.
"""

import argparse
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from clipsearch.formats import Extra, is_installed
from clipsearch.images.decode import decode_image, read_header
from clipsearch.paths import sample_data_folder
from tests.support.rare_pictures import fits, psd, zipped

_ROUNDS = 3


def photograph(megapixels: float) -> Image.Image:
    """A sample, enlarged, with noise."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(height * 4 / 3)
    with Image.open(sample_data_folder() / "food/pizza.jpg") as image:
        pixels = np.asarray(image.convert("RGB").resize((width, height))).astype(np.int16)
    noise = np.random.default_rng(1).integers(-6, 7, pixels.shape, np.int16)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def pixmap(image: Image.Image) -> bytes:
    """An XPM of 64 colours."""
    few = image.quantize(64)
    names = bytes(range(48, 112)).replace(b'"', b"!").replace(b"\\", b"~")
    palette = np.array(few.getpalette()).reshape(-1, 3)
    lines = [f'"{few.width} {few.height} {len(palette)} 1",'.encode()]
    lines += [b'"%c c #%02X%02X%02X",' % (names[at], *colour) for at, colour in enumerate(palette.tolist())]
    rows = np.frombuffer(names, np.uint8)[np.asarray(few)]
    return (
        b"/* XPM */\nstatic char *a[] = {\n" + b"\n".join([*lines, *(b'"%s",' % row.tobytes() for row in rows)]) + b"};"
    )


def written(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def kinds(megapixels: float) -> dict[str, tuple[str, Callable[[], bytes]]]:
    """{kind: (suffix, writer)}."""
    photo = photograph(megapixels)
    small = photograph(min(1.95, megapixels))
    clear = photo.convert("RGBA")
    made: dict[str, tuple[str, Callable[[], bytes]]] = {
        "JPEG": (".jpg", lambda: written(photo, "JPEG", quality=90)),
        "TGA": (".tga", lambda: written(photo, "TGA")),
        "TGA, run-length": (".tga", lambda: written(photo, "TGA", compression="tga_rle")),
        "PCX": (".pcx", lambda: written(photo, "PCX")),
        "SGI": (".sgi", lambda: written(photo, "SGI")),
        "SGI, 16 bits": (".sgi", lambda: written(photo, "SGI", bpc=2)),
        "XBM": (".xbm", lambda: written(photo.convert("1"), "XBM")),
        "DDS, not compressed": (".dds", lambda: written(photo, "DDS")),
        "DDS, DXT5": (".dds", lambda: written(clear, "DDS", pixel_format="DXT5")),
        "PSD, 8 bits": (".psd", lambda: psd(photo)),
        "PSD, 16 bits": (".psd", lambda: psd(photo, depth=16)),
        "PSD, 32 bits": (".psd", lambda: psd(photo, depth=32, packed=False)),
        "PSD, CMYK": (".psd", lambda: psd(photo.convert("CMYK"))),
        "KRA": (".kra", lambda: zipped(photo)),
        "FITS, 16 bits": (".fits", lambda: fits(np.asarray(photo.convert("L")).astype(np.int16))),
        "FITS, 3 planes of float64": (".fits", lambda: fits(np.moveaxis(np.asarray(photo).astype(np.float64), 2, 0))),
        "ICO, 256 × 256": (".ico", lambda: written(photo.resize((256, 256)), "ICO")),
        "ICNS, 1,024 × 1,024": (".icns", lambda: written(photo.resize((1024, 1024)), "ICNS")),
        "XPM, 1.95 megapixels": (".xpm", lambda: pixmap(small)),
        "QOI, 1.95 megapixels": (".qoi", lambda: written(small, "QOI")),
    }
    if is_installed(Extra("jxl", "imagecodecs")):
        from imagecodecs import jpegxl_encode

        made["JPEG XL"] = ".jxl", lambda: bytes(jpegxl_encode(np.asarray(photo), level=90, effort=3))
    if is_installed(Extra("svg", "resvg_py")):
        drawing = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 300">{}</svg>'
        circles = "".join(
            f'<circle cx="{at % 400}" cy="{at * 7 % 300}" r="{at % 30}" fill="#{at % 4096:03x}" fill-opacity="0.5"/>'
            for at in range(10_000)
        )
        made["SVG, 10,000 circles"] = ".svg", lambda: drawing.format(circles).encode()
        made["SVG with text"] = ".svg", lambda: drawing.format('<text x="9" y="99">a word</text>').encode()
    return made


def peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def decode_one(path: Path) -> None:
    """Print CPU milliseconds of the header and of decoding, and bytes of memory, in a process of its own."""
    decode_image(written(Image.new("RGB", (64, 64)), "JPEG"))
    before = peak_bytes()
    headers, decodings = [], []
    for _ in range(_ROUNDS):
        start = time.process_time()
        read_header(path)
        middle = time.process_time()
        decode_image(path)
        headers.append(middle - start)
        decodings.append(time.process_time() - middle)
    print(1000 * median(headers), 1000 * median(decodings), peak_bytes() - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--kinds", nargs="*", default=[""], help="beginnings of the names of kinds; default: all")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        decode_one(options.one)
        return
    print("| kind | file, MB | header, ms | decoding, ms | memory, MB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, (suffix, write) in kinds(options.megapixels).items():
            if not name.startswith(tuple(options.kinds)):
                continue
            path = Path(folder, f"picture{suffix}")
            path.write_bytes(write())
            command = [sys.executable, "-m", "tests.benchmarks.stills", "--one", str(path)]
            header, decoding, memory = map(
                float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            )
            size = path.stat().st_size / 1e6
            print(f"| {name} | {size:,.1f} | {header:,.1f} | {decoding:,.0f} | {memory / 1e6:,.0f} |", flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
