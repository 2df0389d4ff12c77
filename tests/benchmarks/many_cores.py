"""Reading and indexing on a machine with many cores: python -m tests.benchmarks.many_cores [--count 8000]

(a) photographs of 640 × 480 that 1, 2, 4 … worker processes decode in a second, and the main process's CPU for each;
(b) those that are indexed in a second with an encoder that does nothing;
(c) the same with CLIP ViT-B/32 (random weights) on a GPU, when torch finds one. Needs no network.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from clipsearch.encoders.base import Encoder
from clipsearch.encoders.load import load_encoder
from clipsearch.evaluation.benchmark import _generate_photo
from clipsearch.images.decode import default_limits
from clipsearch.images.picture_reader import PictureReader, Task
from clipsearch.images.shared_crops import files_at_once
from clipsearch.images.worker_pool import WorkerPool
from clipsearch.processes import core_count
from clipsearch.types import ModelOptions
from tests.benchmarks.measuring import note, print_table, workplace
from tests.benchmarks.reading import COSTS_HEAD, NoEncoder, costs_row, index

# Number of different ones; the others differ in some bytes at the end, which no decoder reads.
_DIFFERENT = 100

# Pictures for each worker, so that no run is short, nor that of one worker long.
_EACH = 500


def make(folder: Path, count: int) -> list[Path]:
    """JPEGs of 640 × 480, each a content of its own; those that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    contents = [_generate_photo(rng, 640, 480) for _ in range(_DIFFERENT)]
    paths = [folder / f"{number:06d}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        if not path.exists():
            path.write_bytes(contents[number % _DIFFERENT] + number.to_bytes(4, "big"))
    return paths


def decode(paths: Sequence[Path], n_workers: int) -> tuple[float, float]:
    """Pictures a second, and milliseconds of the main process for each, once the workers run."""
    spec = NoEncoder.preprocess
    most = files_at_once(spec)
    tasks = [Task(0, path.name, str(path), size_bytes=path.stat().st_size) for path in paths]
    lists = [tasks[start : start + most] for start in range(0, len(tasks), most)]
    with (
        closing(WorkerPool(spec, limits=default_limits())) as pool,
        ThreadPoolExecutor(n_workers) as threads,
    ):
        reader = PictureReader(spec, find_stored=lambda _: (), open_list=pool.open_list)

        def read(part: list[Task]) -> int:
            found = reader.read_list(part)
            found.release()
            return sum(picture.outcome == "decoded" for picture in found.pictures)

        # A worker is started for each thread once the first have read something.
        warm = PictureReader(spec, find_stored=lambda _: (), open_list=pool.open_list)
        list(threads.map(warm.read, (task for _ in range(3) for task in tasks[: 8 * n_workers])))
        start, cpu_s = perf_counter(), process_time()
        count = sum(threads.map(read, lists))
        seconds, cpu_s = perf_counter() - start, process_time() - cpu_s
    return count / seconds, 1000 * cpu_s / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=8_000)
    parser.add_argument("--folder", type=Path, help="where the pictures are kept")
    chosen = parser.parse_args()
    with workplace(chosen.folder) as place:
        note("making pictures")
        paths = make(place / "photos", chosen.count)
        rows = []
        for n_workers in (1, 2, 4, 8, 16):
            if n_workers > core_count():
                break
            rate, cpu_ms = decode(paths[: _EACH * n_workers], n_workers)
            note(f"{n_workers} workers: {rate:.0f} a second, {cpu_ms:.3f} ms")
            rows.append([str(n_workers), f"{rate:.0f}", f"{cpu_ms:.3f}"])
        print_table(["worker processes", "decoded a second", "main-process CPU, ms a picture"], rows)
        print()
        rows = [costs_row("no encoder", *index(place / "photos", place / "catalog", NoEncoder()))]
        if (encoder := _gpu_encoder(place)) is not None:
            with closing(encoder):
                rows.append(costs_row("ViT-B/32, CUDA", *index(place / "photos", place / "catalog", encoder)))
        print_table(COSTS_HEAD, rows)


def _gpu_encoder(place: Path) -> Encoder | None:
    """The random CLIP on the GPU, after a first batch; None without one."""
    try:
        import torch

        from tests.benchmarks.material import RANDOM_CLIP, model_name
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    encoder = load_encoder(ModelOptions(model_name(place, RANDOM_CLIP), device="cuda"))
    spec = encoder.preprocess
    encoder.encode_images(np.zeros((encoder.batch_size, spec.height, spec.width, 3), dtype=np.uint8))
    return encoder


if __name__ == "__main__":
    main()
