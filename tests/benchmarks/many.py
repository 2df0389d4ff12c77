"""How fast many photos are indexed, on a GPU above all: python -m tests.benchmarks.many MODEL [--device cuda]

Photos of 640 × 480 pixels are made, each a file of its own, and indexed once into a fresh catalog. `clipsearch bench`
indexes 200, where the start of the processes that decode counts; here it hardly does.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from clipsearch import Catalog
from clipsearch.evaluation.benchmark import _generate_photo

# So many different ones; the others differ in some bytes at the end, which no decoder reads.
_DIFFERENT = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--device")
    parser.add_argument("--count", type=int, default=8000)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    photos = [_generate_photo(rng, 640, 480) for _ in range(_DIFFERENT)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "photos"
        folder.mkdir()
        for number in range(arguments.count):
            (folder / f"{number}.jpg").write_bytes(photos[number % _DIFFERENT] + number.to_bytes(4, "big"))
        options = {"model": arguments.model, "device": arguments.device}
        with Catalog.open(Path(name) / "catalog", create=True, **options) as catalog:
            catalog.encoder.encode_texts(["the model is loaded"])
            start = time.perf_counter()
            report = catalog.index(folder)
            seconds = time.perf_counter() - start
    print(f"{report.embedded} pictures in {seconds:.1f} s, {report.embedded / seconds:.0f} a second")


if __name__ == "__main__":
    main()
