"""Indexing on a Ray cluster against this machine alone: python -m tests.benchmarks.ray_runner [MODEL]

The same photos of 640 × 480 pixels are indexed in turn by the local runner and by a Ray of this machine with one and with
two encoders, each time into a fresh catalog, in several rounds. The steady rate is that of the pictures between the
first that are stored and the last; what comes before is starting: of processes, and loading of the encoder. The bounds
are told beside it: a second Ray run in the same processes would not start them again.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from clipsearch import Catalog
from clipsearch.benchmark import _made_photo
from clipsearch.images.decode import default_limits
from clipsearch.indexing import index_folders
from clipsearch.indexing.ray_runner import RayRunner
from tests.benchmarks.material import MODEL_HELP, model_name
from tests.benchmarks.measuring import note, print_table, workplace

# So many different ones; the others differ in some bytes at the end, which no decoder reads.
_DIFFERENT = 50


def run(place: Path, model: str, workers: int | None) -> tuple[float, float, float]:
    """Seconds to the first pictures stored, pictures a second from there to the last, and all seconds; `workers` is
    None for the local runner."""
    directory = place / "catalog"
    shutil.rmtree(directory, ignore_errors=True)
    marks: list[tuple[float, int]] = []
    with Catalog.open(directory, model=model, create=True) as catalog:
        row, encoder, store = catalog.model, catalog.encoder, catalog._store
        runner = None if workers is None else RayRunner(catalog._model.recipe(), address=None, workers=workers)
        start = perf_counter()
        index_folders(
            [store.roots.add(str((place / "photos").resolve()))],
            store=store,
            encoder=encoder,
            model_id=row.model_id,
            limits=default_limits(),
            runner=runner,
            on_progress=lambda done, to_do: marks.append((perf_counter(), done)),
        )
        seconds = perf_counter() - start
    (first, few), (last, all_of_them) = marks[0], marks[-1]
    return first - start, (all_of_them - few) / (last - first), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="starter", help=MODEL_HELP)
    parser.add_argument("--count", type=int, default=1_200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", default="1,2", help="numbers of encoders")
    parser.add_argument("--folder", type=Path, help="where the model and the cache are kept")
    chosen = parser.parse_args()
    ways: list[int | None] = [None, *map(int, chosen.workers.split(","))]
    rng = np.random.default_rng(0)
    photos = [_made_photo(rng, 640, 480) for _ in range(_DIFFERENT)]
    with workplace(chosen.folder) as kept, tempfile.TemporaryDirectory() as name:
        place, model = Path(name), model_name(kept, chosen.model)
        (place / "photos").mkdir()
        for number in range(chosen.count):
            (place / "photos" / f"{number}.jpg").write_bytes(photos[number % _DIFFERENT] + number.to_bytes(4, "big"))
        run(place, model, None)  # the model is compiled, files are in memory
        found: dict[int | None, list[tuple[float, float, float]]] = {way: [] for way in ways}
        for _ in range(chosen.rounds):
            for way in ways:
                found[way].append(run(place, model, way))
                note(f"{way}: {found[way][-1]}")
    local = median(rate for _, rate, _ in found[None])
    rows = []
    for way in ways:
        starting, rate, seconds = (median(column) for column in zip(*found[way], strict=True))
        title = "this machine alone" if way is None else f"Ray, {way} encoder{'s' if way > 1 else ''}"
        rows.append((title, f"{starting:.1f} s", f"{rate:.1f}", f"{rate / local:.2f}", f"{seconds:.1f} s"))
    print_table([f"{chosen.count:,} photos, {chosen.model}", "start", "a second", "of alone", "in all"], rows)


if __name__ == "__main__":
    main()
