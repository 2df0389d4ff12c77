"""How soon a new file is found in watched folders: python -m tests.benchmarks.watching [--count 100000] [--new 40]

A catalog of so many files, in folders of 1,000, is watched by a process of its own, and new pictures are put into
random folders, one after the other. Printed are the seconds from the end of writing each until an open catalog of this
process finds it, and the memory of the process that watches.

With --day it is the memory over a day, in which 5,000 files come, change, move and go in groups of ten: time runs 240
times as fast in the process that watches, so that it looks as often as in 24 hours whether something has changed, and
scans all folders as often.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from PIL import Image

from clipsearch import Catalog
from clipsearch.encoders.load import load_encoder
from clipsearch.settings import STARTER
from clipsearch.types import ModelOptions
from tests.benchmarks import material
from tests.benchmarks.measuring import note

A_FOLDER, TIMEOUT_S = 1_000, 60

# A day in six minutes.
FASTER, DAY_S, A_GROUP = 240, 86_400, 10

WATCH = ["-m", "clipsearch", "watch", "--catalog"]
WATCH_A_DAY = [
    "-c",
    "import sys; from clipsearch import cli; from clipsearch.indexing import watch; "
    f"watch._TIMEOUT_MS = max(1, watch._TIMEOUT_MS // {FASTER}); watch._LOCAL_RESCAN_S /= {FASTER}; "
    f"watch._LISTED_S /= {FASTER}; sys.exit(cli.run(['watch', '--catalog', sys.argv[1]]))",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--new", type=int, default=40)
    parser.add_argument("--day", action="store_true", help="measure memory over a day instead")
    parser.add_argument("--changes", type=int, default=5_000, help="of a day")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        photos, catalog = Path(place) / "photos", Path(place) / "catalog"
        note(f"making {options.count:,} files")
        material.tree(photos, options.count, files_a_folder=A_FOLDER)
        material.catalog(catalog, photos, encoder=load_encoder(ModelOptions(STARTER)))
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        with watching(catalog, WATCH_A_DAY if options.day else WATCH) as process:
            if options.day:
                measure_day(photos, options.changes, process)
            else:
                measure(catalog, photos, options.new, process)
        print(f"load of the machine: {os.getloadavg()[0]:.1f}")


@contextmanager
def watching(catalog: Path, command: Sequence[str]) -> Iterator[psutil.Process]:
    """A process that watches the catalog's folders, once it has scanned them."""
    command = [sys.executable, *command, str(catalog)]
    with tempfile.TemporaryFile() as output, subprocess.Popen(command, stdout=output) as process:
        try:
            while not os.fstat(output.fileno()).st_size:
                assert process.poll() is None
                time.sleep(0.1)
            yield psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT_S)


def measure(catalog: Path, photos: Path, count: int, process: psutil.Process) -> None:
    rng, pixels = random.Random(1), np.random.default_rng(1)
    folders = sorted(photos.iterdir())
    before, times = process.memory_info().rss, []
    with Catalog.open(catalog) as opened:
        opened.search("w:>0")
        for number in range(count):
            path = rng.choice(folders) / f"new-{number}.jpg"
            save(path, pixels)
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
    print(f"memory of the process that watches: {before / 1e6:.0f} MB, then {process.memory_info().rss / 1e6:.0f} MB")


def measure_day(photos: Path, changes: int, process: psutil.Process) -> None:
    rng, pixels = random.Random(1), np.random.default_rng(1)
    folders = sorted(photos.iterdir())
    mine: list[Path] = []
    groups, start = changes // A_GROUP, time.monotonic()
    when = {groups // 10: "after a tenth", groups * 4 // 10: "after four", groups * 7 // 10: "after seven"}
    show_memory("at the start", process)
    for group in range(groups):
        for number in range(A_GROUP):
            change(mine, rng.choice(folders) / f"new-{group}-{number}.jpg", rng, pixels)
        if group + 1 in when:
            show_memory(when[group + 1], process)
        time.sleep(max(0.0, start + (group + 1) / groups * DAY_S / FASTER - time.monotonic()))
    time.sleep(TIMEOUT_S / 10)
    show_memory("at the end", process)


def change(mine: list[Path], path: Path, rng: random.Random, pixels: np.random.Generator) -> None:
    """Make a new file at the path, or change, move there or remove one made before."""
    kind = rng.choice(("new", "changed", "moved", "removed")) if len(mine) > A_GROUP else "new"
    old = mine.pop(rng.randrange(len(mine))) if kind != "new" else path
    if kind == "moved":
        old.rename(path)
    elif kind == "removed":
        old.unlink()
    else:
        path = old
        save(path, pixels)
    if kind != "removed":
        mine.append(path)


def save(path: Path, pixels: np.random.Generator) -> None:
    Image.fromarray(pixels.integers(0, 256, (48, 64, 3), dtype=np.uint8)).resize((640, 480)).save(path)


def show_memory(when: str, process: psutil.Process) -> None:
    memory = process.memory_full_info()
    print(f"memory {when}: {memory.rss / 1e6:.0f} MB, of them {memory.uss / 1e6:.0f} MB its own", flush=True)


if __name__ == "__main__":
    main()
