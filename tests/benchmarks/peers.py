"""Indexing beside the loop that anybody writes with transformers: python -m tests.benchmarks.peers [--count 1000]

The same photographs and the same model, one after the other in turns, medians of the rounds:

(a) the loop: Pillow opens, CLIP's image processor prepares, CLIPModel in float32 encodes 32 at a time;
(b) Catalog.index, from the folder to the embeddings in SQL, with the model loaded, in each precision that it has here;
(c) its encoder alone in the last of these, the crops in memory;
(d) its reading alone: file, hash, decoding, crop;
(e) with --rclip, rclip with a model of the same size: a process that indexes the folder and asks once, less the time of
    a second one that only asks.

(b) in the last precision does (c) and (d) at the same time on the same cores: 1 / (1/c + 1/d) is what it would reach if
nothing else cost anything.
"""

import argparse
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from clipsearch import Catalog
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.embed_image import picture_crop
from clipsearch.encoders.load import load_encoder
from clipsearch.encoders.plain_loop import PlainLoop
from clipsearch.errors import ModelError
from clipsearch.images.picture_reader import PictureReader, Task
from clipsearch.prefetch import default_workers
from clipsearch.types import ModelOptions
from tests.benchmarks import material, photos
from tests.benchmarks.measuring import note, print_table, run_clipsearch, seconds_of, workplace

_WARM_UP = 32
_ENCODED = 256


class Rclip:
    """rclip in an environment of its own; `data` is its data folder with the model's files.

    Attributes:
        asking_s: what the processes took that only asked.
    """

    def __init__(self, command: Path, data: Path) -> None:
        self._command = command
        self._data = data
        self.asking_s: list[float] = []

    def index_s(self, folder: Path) -> float:
        """Seconds of indexing a folder into an empty database."""
        for path in self._data.glob("db.sqlite3*"):
            path.unlink()
        both = self._ask(folder)
        self.asking_s.append(self._ask(folder))
        return both - self.asking_s[-1]

    def _ask(self, folder: Path) -> float:
        environment = os.environ | {"RCLIP_DATADIR": str(self._data)}
        return seconds_of(
            lambda: subprocess.run(
                [self._command, "-f", "-t", "1", "cat"], cwd=folder, env=environment, check=True, capture_output=True
            )
        )


def measure(
    name: str,
    precisions: Sequence[str],
    folder: Path,
    *,
    rounds: int,
    loop_count: int,
    scratch: Path,
    rclip: Rclip | None,
) -> dict[str, float]:
    """Pictures a second in each of the ways."""
    paths = sorted(folder.iterdir())
    encoder = load_encoder(ModelOptions(name, precision=precisions[-1]))
    crops = np.stack([picture_crop(path, encoder.preprocess) for path in paths[:_ENCODED]])
    loop = PlainLoop(name).embed
    ways: list[tuple[str, int, Callable[[], float]]] = [
        ("loop", min(loop_count, len(paths)), lambda: seconds_of(lambda: loop(paths[:loop_count]))),
        *(
            (f"index {each}", len(paths), partial(_index_s, name, each, folder, scratch / "catalog"))
            for each in precisions
        ),
        ("encoder", len(crops), lambda: seconds_of(lambda: _encode(encoder, crops))),
        ("reading", len(paths), lambda: seconds_of(lambda: _read(encoder, paths))),
    ]
    if rclip is not None:
        ways.append(("rclip", len(paths), lambda: rclip.index_s(folder)))
    loop(paths[:_WARM_UP])
    _encode(encoder, crops[: encoder.batch_size])
    rates: list[list[float]] = [[] for _ in ways]
    for round_number in range(1, rounds + 1):
        for (way, count, work), found in zip(ways, rates, strict=True):
            found.append(count / work())
            note(f"  round {round_number}, {way:<18} {found[-1]:8.1f} a second over {count}")
    return {way: median(found) for (way, _, _), found in zip(ways, rates, strict=True)}


def _index_s(name: str, precision: str, folder: Path, directory: Path) -> float:
    shutil.rmtree(directory, ignore_errors=True)
    with Catalog.open(directory, model=name, precision=precision, create=True) as catalog:
        spec = catalog.encoder.preprocess
        catalog.encoder.encode_images(np.zeros((1, spec.height, spec.width, 3), dtype=np.uint8))
        return seconds_of(lambda: catalog.index(folder))


def _encode(encoder: Encoder, crops: NDArray[np.uint8]) -> None:
    for start in range(0, len(crops), encoder.batch_size):
        encoder.encode_images(crops[start : start + encoder.batch_size])


def _read(encoder: Encoder, paths: list[Path]) -> None:
    """In as many threads as indexing takes, each picture forgotten at once."""
    reader = PictureReader(encoder.preprocess, find_stored=lambda blake3s: ())
    with ThreadPoolExecutor(default_workers()) as pool:
        outcomes = pool.map(lambda path: reader.read(Task(0, path.name, str(path))).outcome, paths)
    assert set(outcomes) == {"decoded"}


def _row(what: str, count: int, rates: dict[str, float]) -> list[str]:
    bound = 1 / (1 / rates["encoder"] + 1 / rates["reading"])
    best = [rate for way, rate in rates.items() if way.startswith("index")][-1]
    values = [*(f"{rate:.1f}" for rate in rates.values()), f"{bound:.1f}", f"{best / bound:.0%}"]
    return [f"{count:,} {what}", *values, f"{best / rates['loop']:.1f} ×"]


def _precisions(name: str) -> list[str]:
    """Those that the model has on this machine, int8 last."""
    found = []
    for precision in ("f32", "bf16", "int8"):
        try:
            load_encoder(ModelOptions(name, device="cpu", precision=precision)).close()
        except ModelError as error:
            note(str(error))
        else:
            found.append(precision)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000, help="small photographs")
    parser.add_argument("--large-count", type=int, default=200, help="photographs of 12 megapixels")
    parser.add_argument("--loop-count", type=int, default=128, help="as many of them for the loop, which is slow")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep what is made here, and use it again")
    parser.add_argument("--rclip", type=Path, nargs=2, metavar=("COMMAND", "DATA"), help="its program and data folder")
    chosen = parser.parse_args()
    rclip = None if chosen.rclip is None else Rclip(*(path.absolute() for path in chosen.rclip))
    with workplace(chosen.folder) as place:
        name = material.model_name(place, material.RANDOM_CLIP)
        precisions = _precisions(name)  # compiles it
        kinds = (
            ("small", "of 640 × 480", chosen.count, photos.small),
            ("large", "of 4000 × 3000", chosen.large_count, photos.large),
        )
        table, memory = [], []
        for kind, what, count, make in kinds:
            note(f"{count:,} {what}")
            folder = place / f"{kind}-{count}"
            make(folder, count)
            rates = measure(
                name, precisions, folder, rounds=chosen.rounds, loop_count=chosen.loop_count, scratch=place, rclip=rclip
            )
            table.append(_row(what, count, rates))
            # The first time OpenVINO makes a file of its own of the compiled model.
            shutil.rmtree(place / "cache" / "openvino", ignore_errors=True)
            for run in ("first", "second"):
                shutil.rmtree(place / "catalog", ignore_errors=True)
                done = run_clipsearch("index", folder, "--catalog", place / "catalog", "--model", name)
                memory.append(
                    [f"{count:,} {what}, {run} run", f"{done.peak_bytes / 1e9:.2f} GB", f"{done.seconds:.1f} s"]
                )
    print(f"(a) over {chosen.loop_count} of the photographs, medians of {chosen.rounds} rounds, photographs a second\n")
    print_table(["", *rates, "1/(1/c + 1/d)", "b of that", "b / a"], table)
    if rclip is not None:
        print(f"\nrclip as a process that only asks: {median(rclip.asking_s):.2f} s, median of {len(rclip.asking_s)}")
    print("\nclipsearch index as a process, with the model compiled before\n")
    print_table(["", "peak memory", "time"], memory)


if __name__ == "__main__":
    main()
