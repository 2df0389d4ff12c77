"""Odd, broken and hostile files: one picture or one ImageReadError each, in bounded time and memory."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipsearch.errors import ImageReadError
from clipsearch.images.decode import decode_image
from clipsearch.images.find import find_images
from clipsearch.images.reasons import read_error
from tests.support.make_hostile import draw_scene, encode

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY / ".." / "shared"
MAKE_HOSTILE = REPOSITORY / "tests/support/make_hostile.py"

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux does")


def test_every_row_of_the_manifest_gives_what_it_says(tmp_path: Path) -> None:
    subprocess.run([sys.executable, MAKE_HOSTILE, tmp_path], check=True, capture_output=True)
    found = {image.relative_path for image in find_images(tmp_path).images}
    assert find_images(tmp_path).unseen == ()
    outcomes: dict[str, str] = {}
    for path in found:
        try:
            image = decode_image(tmp_path / path).image
            assert image.mode == "RGB"
            outcomes[path] = "ok"
        except ImageReadError:
            outcomes[path] = "error"
    if os.access(tmp_path / "unreadable.jpg", os.R_OK):  # by root
        outcomes["unreadable.jpg"] = "error"

    manifest = (tmp_path / "MANIFEST.tsv").read_text(encoding="utf-8").splitlines()[1:]
    names = set()
    for line in manifest:
        name, expect, why = line.split("\t")
        path = path_of_manifest_name(name)
        names.add(path)
        outcome = outcomes.get(path, "skip")
        assert outcome in expect.split("-or-"), f"{name} gave {outcome}, not {expect}: {why}"
    assert len(manifest) >= 115
    assert found <= names
    # And what the manifest leaves open.
    assert outcomes["warn_12000x12000_real.png"] == "ok"
    assert outcomes["link_to_file.jpg"] == "ok"
    assert ".hidden.jpg" not in found


def path_of_manifest_name(name: str) -> str:
    if name == "d/…/deep.jpg":
        return "d/" * 60 + "deep.jpg"
    if name == "latin1_\\xe9.jpg":
        return "latin1_\udce9.jpg"
    if name == "back\\slash.jpg":
        return name
    return name.replace("\\t", "\t").replace("\\n", "\n").removesuffix("/")


@pytest.fixture(scope="module")
def hostile() -> Path:
    folder = SHARED / "hostile"
    if not folder.is_dir():
        pytest.skip("the folder of hostile files, ../shared/hostile, is not here")
    return folder


# In megabytes. Not getrusage: what it gives starts with the peak of the process that started this one.
PRINT_PEAK = """
def print_peak():
    with open("/proc/self/status") as status:
        print(next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM")))
"""

DECODE_EVERYTHING = """
import sys, time, warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from clipsearch.errors import ImageReadError
from clipsearch.images.decode import decode_image

warnings.simplefilter("error")

def outcome(path):
    start = time.perf_counter()
    try:
        result = decode_image(path)
        assert result.image.mode == "RGB" and result.image.size == (result.metadata.width, result.metadata.height)
        reason = ""
    except ImageReadError as error:
        reason = str(error)
    return path, reason, time.perf_counter() - start

with ThreadPoolExecutor(4) as pool:
    outcomes = list(pool.map(outcome, sorted(p for p in Path(sys.argv[1]).rglob("*") if p.is_file())))
print(len(outcomes), sum(not reason for _, reason, _ in outcomes), max(seconds for *_, seconds in outcomes))
print_peak()
for path, reason, _ in outcomes:
    assert not any(part in reason for part in ("0x", "<", chr(10), path.name)), (path, reason)
"""


@needs_linux
def test_all_hostile_files_with_four_threads(hostile: Path) -> None:
    """1,500 files from other projects' tests: only ImageReadError, nothing slow, nothing printed, under 2 GB."""
    command = [sys.executable, "-c", PRINT_PEAK + DECODE_EVERYTHING, hostile]
    result = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    (files, decoded, slowest_seconds), (peak_megabytes,) = (line.split() for line in result.stdout.splitlines())
    assert int(files) > 1000
    assert int(decoded) > 900
    assert float(slowest_seconds) < 20
    assert int(peak_megabytes) < 2000


@pytest.mark.parametrize("name", ["Landscape", "Portrait"])
def test_all_orientation_examples_look_the_same(hostile: Path, name: str) -> None:
    pictures = [
        np.asarray(decode_image(hostile / f"exif-orientation-examples/{name}_{number}.jpg").image, dtype=np.int16)
        for number in range(1, 9)
    ]
    for picture in pictures[1:]:
        assert picture.shape == pictures[0].shape
        # They were turned before they were compressed, and each bears its own number.
        assert np.abs(picture - pictures[0]).mean() < 6


def test_avif_rotations_and_mirrors_are_applied_once(hostile: Path) -> None:
    """The boxes irot and imir of the container, which eight photographs of one view need to look alike."""
    names = [f"rot{rotation}mir{mirror}.avif" for rotation in range(4) for mirror in (0, 1)]
    pictures = [np.asarray(decode_image(hostile / "pillow/avif" / name).image, dtype=np.int16) for name in names]
    for picture in pictures[1:]:
        assert picture.shape == pictures[0].shape
        # Each bears its own name and was compressed after turning; the wrong way up it differs by 85.
        assert np.abs(picture - pictures[0]).mean() < 12


@needs_linux
@pytest.mark.parametrize(("threads", "copies"), [(1, 2), (4, 3)])
def test_big_pictures_need_few_copies(tmp_path: Path, threads: int, copies: int) -> None:
    """49 megapixels of RGBA, turned: 196 MB a copy. With more threads one result may still be in use."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "big.png"
    Image.new("RGBA", (7000, 7000), (255, 0, 0, 100)).save(path, compress_level=1, exif=exif)
    script = (
        PRINT_PEAK + "import sys; from concurrent.futures import ThreadPoolExecutor\n"
        "from clipsearch.images.decode import decode_image\n"
        "pool = ThreadPoolExecutor(int(sys.argv[1]))\n"
        "list(pool.map(lambda path: decode_image(path).image.size, sys.argv[2:] * 4))\n"
        "print_peak()"
    )
    command = [sys.executable, "-c", script, str(threads), path]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY).stdout
    assert int(output) < copies * 196 + 140  # the program and its libraries


FORMATS = ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000", "PPM"]
SCENE = draw_scene(64, 48)
decode_image(encode(SCENE, "PNG"))  # registers HEIF
SAMPLES = {name: encode(SCENE, name) for name in FORMATS}


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=200), start=st.sampled_from([b"", *(sample[:24] for sample in SAMPLES.values())]))
def test_random_bytes_raise_image_read_error_only(content: bytes, start: bytes) -> None:
    with contextlib.suppress(ImageReadError):
        assert decode_image(start + content, max_megapixels=4).image.mode == "RGB"


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(FORMATS),
    changes=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=8),
    cut=st.none() | st.integers(0, 5000),
)
def test_mutated_pictures_raise_image_read_error_only(
    name: str, changes: list[tuple[int, int]], cut: int | None
) -> None:
    content = bytearray(SAMPLES[name])
    for place, value in changes:
        content[place % len(content)] = value
    with contextlib.suppress(ImageReadError):
        assert decode_image(bytes(content[:cut]), max_megapixels=4).image.mode == "RGB"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError(273), "damaged"),
        (IndexError("list index out of range"), "damaged"),
        (TypeError("unsupported operand type(s) for +: 'NoneType' and 'int'"), "damaged"),
        (AttributeError("'JpegImageFile' object has no attribute 'x'"), "damaged"),
        (ValueError("Decompressed data too large for PngImagePlugin.MAX_TEXT_CHUNK"), "damaged"),
        (ValueError("too many of MAX_CHUNKS"), "damaged"),
        (ZeroDivisionError("division by zero"), "damaged"),
        (SyntaxError(""), "damaged"),
        (RuntimeError("<_io.BytesIO object at 0x7f00>"), "damaged"),
        (SyntaxError("broken PNG file (chunk b'IDAT')"), "damaged: broken PNG file (chunk IDAT)"),
        (ValueError("Failed to decode frame 0: Decoding of color planes failed"), None),
        (OSError("image file is truncated (12 bytes not processed)"), "truncated: too little of it can be decoded"),
    ],
)
def test_reasons_hold_no_names_of_code(error: Exception, reason: str | None) -> None:
    assert str(read_error(error, 256.0)) == (reason or f"damaged: {error}")
