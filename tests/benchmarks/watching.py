"""How soon a new file is found in watched folders: python -m tests.benchmarks.watching [--count 100000] [--new 40]

So many small files, with known contents, are indexed in folders of 1,000; then the catalog is watched by a process of
its own, and new pictures are put into random folders, one after the other. Printed are the seconds from the end of
writing each until an open catalog of this process finds it, and the memory of the process that watches.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from PIL import Image

from clipsearch import Catalog
from tests.benchmarks.measuring import note

A_FOLDER, TIMEOUT_S = 1_000, 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--new", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        photos, catalog = Path(place) / "photos", Path(place) / "catalog"
        note(f"making {options.count:,} files")
        make_files(photos, options.count)
        with Catalog.open(catalog, model="starter", create=True) as opened:
            note(f"{opened.index(photos).seconds:.0f} s to index them")
        command = [sys.executable, "-m", "clipsearch", "watch", "--catalog", str(catalog)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(3)
            measure(catalog, photos, options.new, psutil.Process(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT_S)


def make_files(folder: Path, count: int) -> None:
    """Copies of few pictures that differ in bytes at the end, which no decoder reads."""
    rng = np.random.default_rng(0)
    scratch = folder.parent / "one.jpg"
    made = []
    for _ in range(20):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((64, 48)).save(scratch, quality=80)
        made.append(scratch.read_bytes())
    for number in range(count):
        place = folder / f"{number // A_FOLDER:04}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:07}.jpg").write_bytes(made[number % len(made)] + (number // 50).to_bytes(4, "big"))


def measure(catalog: Path, photos: Path, count: int, watching: psutil.Process) -> None:
    rng, pixels = random.Random(1), np.random.default_rng(1)
    folders = sorted(photos.iterdir())
    before, times = watching.memory_info().rss, []
    with Catalog.open(catalog) as opened:
        opened.search("w:>0")
        for number in range(count):
            path = rng.choice(folders) / f"new-{number}.jpg"
            Image.fromarray(pixels.integers(0, 256, (48, 64, 3), dtype=np.uint8)).resize((640, 480)).save(path)
            start = time.perf_counter()
            while not opened.search(f"path:new-{number}.jpg"):
                if time.perf_counter() - start > TIMEOUT_S:
                    raise TimeoutError(str(path))
                time.sleep(0.02)
            times.append(time.perf_counter() - start)
    times.sort()
    print(
        f"found after {median(times):.2f} s at the median, {times[int(0.95 * len(times))]:.2f} s at the 95th percentile"
    )
    print(f"memory of the process that watches: {before / 1e6:.0f} MB, then {watching.memory_info().rss / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
