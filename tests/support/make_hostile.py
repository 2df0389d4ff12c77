#!/usr/bin/env python3
"""Makes a folder of odd, broken and hostile picture files, with a MANIFEST.tsv of what each must give.

    python tests/support/make_hostile.py OUTDIR

Always the same files, about 3 MB. Needs Pillow only. Columns of the manifest: name, expect, why. `expect` is one of
ok (found and decoded), error (found, can't be decoded), skip (not found), error-or-ok, skip-or-ok (either).
"""

import io
import os
import random
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, PngImagePlugin

DEEP_LEVELS = 60


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} OUTDIR")
    print(make_hostile(Path(sys.argv[1])), "entries")


def make_hostile(folder: Path) -> int:
    """Fills the folder, makes it if need be, and returns the number of entries in the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus = Corpus(folder)
    for part in PARTS:
        part(corpus)
    corpus.write_manifest()
    return len(corpus.rows)


class Corpus:
    """A folder that is being filled, and the manifest of what is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[tuple[str, str, str]] = []
        self.scene = draw_scene(320, 240)
        self.jpeg = encode(self.scene, "JPEG", quality=90)
        self.png = encode(self.scene, "PNG")

    def note(self, name: str, expect: str, why: str) -> None:
        self.rows.append((name, expect, why))

    def picture(self, name: str, image: Image.Image, why: str = "", **options: Any) -> None:
        """A picture that must decode, saved by Pillow."""
        image.save(self.folder / name, **options)
        self.note(name, "ok", why)

    def raw(self, name: str, content: bytes, expect: str, why: str) -> None:
        path = self.folder / name
        path.unlink(missing_ok=True)  # from an earlier run it may not be writable
        path.write_bytes(content)
        self.note(name, expect, why)

    def link(self, name: str, target: str, expect: str, why: str) -> None:
        if not os.path.lexists(self.folder / name):
            (self.folder / name).symlink_to(target)
        self.note(name, expect, why)

    def write_manifest(self) -> None:
        lines = [("name", "expect", "why"), *self.rows]
        text = "".join("\t".join(escape(cell) for cell in line) + "\n" for line in lines)
        (self.folder / "MANIFEST.tsv").write_text(text, encoding="utf-8", errors="surrogateescape")


def escape(cell: str) -> str:
    return cell.replace("\t", "\\t").replace("\n", "\\n")


def draw_scene(width: int, height: int) -> Image.Image:
    """A sun and a hill over grass: no symmetry, so every turn and flip can be seen."""
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    for y in range(height):
        draw.line([(0, y), (width, y)], fill=(40, 90 + 100 * y // max(1, height), 200 - 120 * y // max(1, height)))
    draw.ellipse([width * 0.55, height * 0.15, width * 0.9, height * 0.6], fill=(250, 200, 30))
    draw.rectangle([0, height * 0.75, width, height], fill=(30, 120, 40))
    hill = [(width * 0.1, height * 0.75), (width * 0.3, height * 0.3), (width * 0.5, height * 0.75)]
    draw.polygon(hill, fill=(120, 60, 30))
    return image


def encode(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def with_alpha(image: Image.Image) -> Image.Image:
    result = image.convert("RGBA")
    result.putalpha(Image.linear_gradient("L").resize(image.size))
    return result


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def png_of_zeros(width: int, height: int) -> bytes:
    """A valid 1-bit PNG: a few kilobytes, whatever its size in pixels."""
    packer, row = zlib.compressobj(9), bytes(width // 8 + 1)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return png_header(width, height, 1, 0) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def add_modes(corpus: Corpus) -> None:
    scene, picture = corpus.scene, corpus.picture
    picture("mode_L.png", scene.convert("L"), "grey")
    picture("mode_LA.png", scene.convert("LA"), "grey+alpha")
    picture("mode_RGBA.png", with_alpha(scene), "alpha gradient")
    picture("fully_transparent.png", Image.new("RGBA", scene.size, (255, 0, 0, 0)), "all alpha 0")
    picture("mode_1.png", scene.convert("1"), "1 bit")
    picture("mode_P.png", scene.convert("P"), "palette")
    palette = scene.quantize(16)
    palette.info["transparency"] = 0
    picture("mode_P_trns.png", palette, "palette+tRNS", transparency=0)
    alphas = bytes([0, 128] + [255] * 14)
    picture("mode_P_trns_bytes.png", palette, "palette + bytes transparency", transparency=alphas)
    ramp = b"".join(struct.pack("<H", x * 1024 % 65536) for _ in range(64) for x in range(64))
    picture("mode_I16.png", Image.frombytes("I;16", (64, 64), ramp), "16-bit grey")
    picture("mode_F.tif", scene.convert("F"), "float TIFF")
    picture("mode_I.tif", scene.convert("I"), "32-bit int TIFF")
    picture("mode_CMYK.jpg", scene.convert("CMYK"), "CMYK JPEG")
    picture("mode_CMYK.tif", scene.convert("CMYK"), "CMYK TIFF")
    picture("mode_YCbCr.tif", scene.convert("YCbCr"), "YCbCr TIFF")
    picture("mode_LAB.tif", Image.merge("LAB", scene.split()), "LAB TIFF")
    picture("progressive.jpg", scene, "progressive", progressive=True)
    picture("gray.jpg", scene.convert("L"), "grey JPEG")
    picture("lossless.webp", scene, "webp lossless", lossless=True)
    picture("alpha.webp", with_alpha(scene), "webp alpha")


def add_sizes(corpus: Corpus) -> None:
    scene, picture = corpus.scene, corpus.picture
    picture("1x1.png", scene.resize((1, 1)), "1x1")
    picture("1x4000.png", scene.resize((1, 4000)), "extreme aspect")
    picture("4000x1.jpg", scene.resize((4000, 1)), "extreme aspect")
    picture("2x2.gif", scene.resize((2, 2)), "tiny")
    picture("big_8000x6000.jpg", draw_scene(8000, 6000), "48 MP", quality=60)
    picture("solid_black.png", Image.new("RGB", (300, 300)))
    picture("solid_white.jpg", Image.new("RGB", (300, 300), "white"))


def add_several_frames(corpus: Corpus) -> None:
    first, *others = (Image.new("RGB", (80, 80), colour) for colour in ("red", "green", "blue"))
    for name in ("anim.gif", "anim.webp", "anim.png"):
        corpus.picture(name, first, "animated", save_all=True, append_images=others, duration=100, loop=0)
    corpus.picture("multipage.tif", first, "multi-page TIFF", save_all=True, append_images=others)


def add_metadata(corpus: Corpus) -> None:
    for orientation in (*range(1, 9), 99):
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = f"EXIF orientation {orientation}: after transpose must look like its pixels turned"
        why = "invalid orientation" if orientation == 99 else turned
        corpus.picture(f"exif_orient_{orientation}.jpg", corpus.scene, why, exif=exif)
    broken_exif = b"\xff\xe1\x00\x14Exif\x00\x00II*\x00\xff\xff\xff\xff\x00\x00"
    corpus.raw("exif_broken.jpg", corpus.jpeg[:2] + broken_exif + corpus.jpeg[2:], "ok", "EXIF with a bad IFD offset")
    corpus.picture("icc_broken.jpg", corpus.scene, "junk ICC profile", icc_profile=b"not a profile" * 10)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 5000)
    corpus.picture("text_chunk.png", corpus.scene, "long tEXt", pnginfo=text)
    ztxt = png_chunk(b"zTXt", b"c\0\0" + zlib.compress(b"A" * (80 << 20), 9))
    why = "zTXt that inflates to 80 MiB (Pillow: decompressed data too large)"
    corpus.raw("ztxt_bomb.png", corpus.png[:33] + ztxt + corpus.png[33:], "error-or-ok", why)


def add_broken(corpus: Corpus) -> None:
    jpeg, png, raw = corpus.jpeg, corpus.png, corpus.raw
    for cut in (0, 1, 2, 10, 100, len(jpeg) // 2, len(jpeg) - 2):
        # Without its last two bytes, the end marker, a JPEG is complete.
        expect = "error" if cut < len(jpeg) - 2 else "error-or-ok"
        raw(f"trunc_{cut}.jpg", jpeg[:cut], expect, f"JPEG cut at {cut} bytes")
    for cut in (8, 20, 33, 40, len(png) // 2, len(png) - 4):
        expect = "error" if cut < len(png) - 12 else "error-or-ok"
        raw(f"trunc_{cut}.png", png[:cut], expect, f"PNG cut at {cut} bytes")
    rng = random.Random(7)
    for number in range(8):
        content = bytearray(jpeg if number % 2 else png)
        for _ in range(12):
            content[rng.randrange(20, len(content))] = rng.randrange(256)
        name = f"flip_{number}." + ("jpg" if number % 2 else "png")
        raw(name, bytes(content), "error-or-ok", "12 random bytes changed")
    raw("random.jpg", bytes(rng.randrange(256) for _ in range(5000)), "error", "noise")
    raw("zeros.png", bytes(5000), "error", "NULs")
    raw("text.jpg", b"this is not an image\n", "error", "text")
    html = b"<!DOCTYPE html><html><body>404</body></html>"
    raw("html.png", html, "error", "an HTML error page saved as PNG")
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    raw("svg_as_png.png", svg, "error", "SVG named png")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    raw("lfs_pointer.jpg", pointer, "error", "LFS pointer")
    raw("png_named.jpg", png, "ok", "PNG content, .jpg name")
    raw("jpg_named.png", jpeg, "ok", "JPEG content, .png name")
    raw("webp_named.jpeg", encode(corpus.scene, "WEBP"), "ok", "WebP named jpeg")
    raw("no_extension", jpeg, "skip-or-ok", "JPEG without extension")
    raw("UPPER.JPG", jpeg, "ok", "upper-case extension")
    raw("double.tar.jpg.png", png, "ok", "dots in name")
    raw(".hidden.jpg", jpeg, "skip-or-ok", "hidden file")
    raw("trailing.jpg", jpeg + b"PK\x03\x04" + b"junk" * 500, "ok", "JPEG + junk (polyglot)")
    raw("leading_junk.jpg", b"\0" * 16 + jpeg, "error", "junk before SOI")
    raw("thumbs.db.jpg", b"\xd0\xcf\x11\xe0" + bytes(508), "error", "OLE file")


def add_bombs(corpus: Corpus) -> None:
    """Headers that promise much with little data behind them."""
    raw = corpus.raw
    empty = png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")
    raw("bomb_50000x50000.png", png_header(50000, 50000) + empty, "error", "2.5 Gpx header, no data")
    why = "400 Mpx 1-bit, valid data, 50 KB file"
    raw("bomb_20000x20000_real.png", png_of_zeros(20000, 20000), "error", why)
    why = "144 Mpx 1-bit: over Pillow's warning limit (89.4 Mpx), under its error limit (179 Mpx)"
    raw("warn_12000x12000_real.png", png_of_zeros(12000, 12000), "error-or-ok", why)
    screen = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
    frame = b",\0\0\0\0" + struct.pack("<HH", 65535, 65535) + b"\0\x02\x02L\x01\0;"
    raw("bomb.gif", screen + frame, "error", "4.3 Gpx GIF screen")
    raw("zero_size.png", png_header(0, 0) + png_chunk(b"IEND", b""), "error", "0x0 image")
    raw("empty.webp", b"RIFF\x04\0\0\0WEBP", "error", "empty WebP")
    loop = b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8)
    raw("ifd_loop.tif", loop, "error", "TIFF IFD points at itself")


def add_names(corpus: Corpus) -> None:
    marks = ["with space", "quote'\"", "semi;colon&$(id)", "-dash"]
    scripts = ["ünïcödé", "日本語の写真", "🍩 donut", "nfd_e\u0301", "nfc_\u00e9"]
    controls = ["tab\tname", "new\nline", "esc\x1b[31mred", "rtl_\u202egpj"]
    markup = ["<b>html<b>", "per%20cent", "back\\slash", "x" * 240, "glob[1]*?"]
    for stem in [*marks, *scripts, *controls, *markup]:
        try_name(corpus, f"{stem}.jpg", "ok")
    try_name(corpus, "trailing .jpg ", "skip-or-ok")
    try_name(corpus, "con.jpg", "ok")
    try:
        Path(os.fsdecode(os.fsencode(corpus.folder) + b"/latin1_\xe9.jpg")).write_bytes(corpus.jpeg)
        corpus.note("latin1_\\xe9.jpg", "ok", "name that is not UTF-8 (os.fsencode surrogateescape)")
    except OSError as error:
        print("non-UTF-8 name not possible", error)


def try_name(corpus: Corpus, name: str, expect: str) -> None:
    try:
        corpus.raw(name, corpus.jpeg, expect, "odd name")
    except OSError as error:
        print("name not possible:", repr(name), error)


def add_file_system(corpus: Corpus) -> None:
    folder, jpeg = corpus.folder, corpus.jpeg
    (folder / "dir.jpg").mkdir(exist_ok=True)
    corpus.note("dir.jpg/", "skip", "directory named like an image")
    deep = folder.joinpath(*["d"] * DEEP_LEVELS)
    deep.mkdir(parents=True, exist_ok=True)
    (deep / "deep.jpg").write_bytes(jpeg)
    corpus.note("d/…/deep.jpg", "ok", f"{DEEP_LEVELS} levels deep")
    corpus.link("dangling.jpg", "missing.jpg", "skip", "dangling symlink")
    corpus.link("link_to_file.jpg", "UPPER.JPG", "skip-or-ok", "symlink to a file")
    corpus.link("loop", ".", "skip", "symlink to its own folder")
    corpus.link("self.jpg", "self.jpg", "skip", "symlink to itself")
    corpus.link("devzero.png", "/dev/zero", "skip", "symlink to an endless device")
    if not os.path.lexists(folder / "fifo.jpg"):
        os.mkfifo(folder / "fifo.jpg")
    corpus.note("fifo.jpg", "skip", "named pipe: opening it blocks for ever")
    corpus.raw("unreadable.jpg", jpeg, "error", "mode 000 (readable to root all the same)")
    (folder / "unreadable.jpg").chmod(0)
    if not os.path.lexists(folder / "hardlink.jpg"):
        (folder / "hardlink.jpg").hardlink_to(folder / "UPPER.JPG")
    corpus.note("hardlink.jpg", "ok", "hard link, same inode as UPPER.JPG")
    corpus.raw("mtime_1901.jpg", jpeg, "ok", "mtime before 1970")
    os.utime(folder / "mtime_1901.jpg", (-2e9, -2e9))
    corpus.raw("mtime_2106.jpg", jpeg, "ok", "mtime after 2106")
    os.utime(folder / "mtime_2106.jpg", (4.3e9, 4.3e9))


PARTS: list[Callable[[Corpus], None]] = [
    add_modes,
    add_sizes,
    add_several_frames,
    add_metadata,
    add_broken,
    add_bombs,
    add_names,
    add_file_system,
]

if __name__ == "__main__":
    main()
