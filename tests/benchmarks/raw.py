"""How near previews and developments of raw files are to the camera's JPEG, and what they cost.

    python -m tests.benchmarks.raw                       # raw files made of photographs
    python -m tests.benchmarks.raw --photos FOLDER       # of these
    python -m tests.benchmarks.raw --raw FOLDER          # raw files of cameras, some next to the JPEG of the shot

The cosines are those of embeddings by the starter model. Times are processor seconds of one file, memory is the most
that a process of its own takes beyond what a tiny picture takes, the file's content included. Linux only.
"""

import argparse
import io
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base

from clipsearch.encoders.base import Encoder
from clipsearch.encoders.load import load_encoder
from clipsearch.errors import ImageReadError
from clipsearch.formats import RAW_SUFFIXES
from clipsearch.images.decode import DEFAULT_MAX_MEGAPIXELS, decode_image, upright_rgb
from clipsearch.images.preprocess import resize_and_crop
from clipsearch.images.raw.libraw import LibRawFile
from clipsearch.types import ModelOptions
from tests.benchmarks.measuring import REPOSITORY, print_table
from tests.benchmarks.photos import sample_paths
from tests.support.raw_files import raw_file

_LARGE = (4000, 3000)
_ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--raw", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--peak", choices=sorted(_CASES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print(_peak_bytes(options.peak))
        return
    encoder = load_encoder(ModelOptions(name="starter"))
    if options.raw:
        compare_files(options.raw, encoder)
        return
    paths = sorted(options.photos.rglob("*.jpg")) if options.photos else sample_paths()
    compare_made(paths[:: max(1, len(paths) // options.count)], encoder)
    costs()


def compare_made(paths: Sequence[Path], encoder: Encoder) -> None:
    """Photographs as cameras would store them: JPEG, a preview of 1,620 pixels, and the mosaic of 1,200 rows."""
    rows: dict[str, list[float]] = {"preview": [], "development": []}
    for path in paths:
        photo = decode_image(path).image
        photo = photo.resize((1600, 1200)) if photo.width > photo.height else photo.resize((1200, 1600))
        jpeg = embed(_jpeg(photo), encoder)
        preview = photo.resize((photo.width * 27 // 40, photo.height * 27 // 40), Image.Resampling.BOX)
        rows["preview"].append(float(jpeg @ embed(raw_file(photo, preview=preview), encoder)))
        rows["development"].append(float(jpeg @ embed(raw_file(photo), encoder)))
    print(f"{len(paths)} raw files made of photographs; cosine to the embedding of the JPEG\n")
    print_table(["", "median", "lowest tenth", "lowest"], [(name, *_spread(found)) for name, found in rows.items()])


def compare_files(folder: Path, encoder: Encoder) -> None:
    """Files of cameras: the preview next to the development, and next to a JPEG with the same name."""
    rows = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in RAW_SUFFIXES):
        content = path.read_bytes()
        try:
            shown = embed(content, encoder)
        except ImageReadError as error:
            rows.append((path.name, str(error), "", ""))
            continue
        developed = _attempt(lambda content=content: embed_developed(content, encoder))
        jpegs = [other for other in path.parent.glob(f"{path.stem}.*") if other.suffix.lower() in (".jpg", ".jpeg")]
        beside = embed(jpegs[0].read_bytes(), encoder) if jpegs else None
        cosines = ["" if other is None else f"{shown @ other:.3f}" for other in (developed, beside)]
        rows.append((path.name, decode_image(content).metadata.format, *cosines))
    print_table(["file", "kind", "to its development", "to its JPEG"], rows)


def costs() -> None:
    rows = []
    empty = _measured_peak("nothing")
    for name, make in _CASES.items():
        if name == "nothing":
            continue
        content = make()
        seconds = []
        for _ in range(_ROUNDS):
            start = process_time()
            decode_image(content, needed_side=224)
            seconds.append(process_time() - start)
        extra = (_measured_peak(name) - empty) / 1e6
        rows.append((name, f"{len(content) / 1e6:.1f}", f"{1000 * median(seconds):.0f}", f"{extra:.0f}"))
    print("\n12 megapixels, for a model of 224 pixels\n")
    print_table(["", "MB", "ms of processor time", "MB of memory"], rows)


def embed(content: bytes, encoder: Encoder) -> NDArray[np.float32]:
    spec = encoder.preprocess
    decoded = decode_image(content, needed_side=spec.resized_side)
    embedding: NDArray[np.float32] = encoder.encode_images(resize_and_crop(decoded.image, spec, box=decoded.box)[None])[
        0
    ]
    return embedding


def embed_developed(content: bytes, encoder: Encoder) -> NDArray[np.float32]:
    """As `embed`, of the raw data whatever the preview is."""
    raw = LibRawFile(content, "raw file", max_megapixels=DEFAULT_MAX_MEGAPIXELS)
    try:
        image = raw.develop(is_half_size=True)
    finally:
        raw.close()
    image.getexif()[Base.Orientation] = raw.orientation
    embedding: NDArray[np.float32] = encoder.encode_images(
        resize_and_crop(upright_rgb(image), encoder.preprocess)[None]
    )[0]
    return embedding


def _attempt(work: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32] | None:
    try:
        return work()
    except ImageReadError:
        return None


def _spread(values: Sequence[float]) -> tuple[str, ...]:
    return tuple(f"{value:.3f}" for value in (median(values), np.quantile(values, 0.1), min(values)))


def _photo() -> Image.Image:
    return decode_image(sample_paths()[0]).image.resize(_LARGE)


def _jpeg(photo: Image.Image) -> bytes:
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


_CASES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: _jpeg(Image.new("RGB", (8, 8))),
    "JPEG": lambda: _jpeg(_photo()),
    "preview of full size": lambda: raw_file(_photo(), preview=_photo()),
    "preview of 1620 × 1080": lambda: raw_file(_photo(), preview=_photo().resize((1620, 1080))),
    "development": lambda: raw_file(_photo()),
}


def _measured_peak(name: str) -> int:
    command = [sys.executable, "-m", "tests.benchmarks.raw", "--peak", name]
    return int(subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout)


def _peak_bytes(name: str) -> int:
    """Return the most memory of this process while it decodes, which it made the file in before."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture")
        make = (
            "from tests.benchmarks.raw import _CASES; import sys; open(sys.argv[1], 'wb').write(_CASES[sys.argv[2]]())"
        )
        subprocess.run([sys.executable, "-c", make, path, name], cwd=REPOSITORY, check=True)
        content = path.read_bytes()
    decode_image(content, needed_side=224)
    # Not getrusage: what it gives starts with the peak of the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[0]) * 1024


if __name__ == "__main__":
    main()
