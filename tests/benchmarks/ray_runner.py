"""Indexing on a Ray cluster against this machine alone: python -m tests.benchmarks.ray_runner [MODEL]

Photos of 640 × 480 pixels are indexed in turn by the local runner and by a Ray of this machine, started for it, with
one and with two encoders, each time into a fresh catalog, in several rounds. Each way is given a part of the photos and
then all of them: what the others take more is the steady rate, whatever is read ahead while encoders are loaded, and
what is left of the time is starting.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from clipsearch import Catalog
from clipsearch.encoders.spec import EncoderRecipe
from clipsearch.evaluation.benchmark import _generate_photo
from clipsearch.images.decode import default_limits
from clipsearch.indexing import index_folders
from clipsearch.indexing.options import IndexOptions
from clipsearch.indexing.ray.runner import RayRunner
from tests.benchmarks.material import MODEL_HELP, model_name
from tests.benchmarks.measuring import note, print_table, workplace

# So many different ones; the others differ in some bytes at the end, which no decoder reads.
_DIFFERENT = 50


def seconds_to_index(place: Path, folder: Path, model: str, workers: int | None) -> float:
    """`workers` is None for the local runner."""
    directory = place / "catalog"
    shutil.rmtree(directory, ignore_errors=True)
    with Catalog.open(directory, model=model, create=True) as catalog:
        store, encoder, model_id = catalog._session.store, catalog.encoder, catalog.model.model_id
        recipe = EncoderRecipe(encoder.name, encoder.fingerprint)
        start = perf_counter()
        report = index_folders(
            [store.roots.add(str(folder.resolve()))],
            store=store,
            encoder=encoder,
            model_id=model_id,
            options=IndexOptions(limits=default_limits()),
            runner=None if workers is None else RayRunner(recipe, address=None, workers=workers),
        )
        seconds = perf_counter() - start
    assert report.embedded == report.found
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="starter", help=MODEL_HELP)
    parser.add_argument("--count", type=int, default=1_600)
    parser.add_argument("--part", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", default="1,2", help="numbers of encoders")
    parser.add_argument("--folder", type=Path, help="where the model and the cache are kept")
    chosen = parser.parse_args()
    ways: list[int | None] = [None, *map(int, chosen.workers.split(","))]
    rng = np.random.default_rng(0)
    photos = [_generate_photo(rng, 640, 480) for _ in range(_DIFFERENT)]
    with workplace(chosen.folder) as kept, tempfile.TemporaryDirectory() as name:
        place, model = Path(name), model_name(kept, chosen.model)
        for title, count in (("part", chosen.part), ("all", chosen.count)):
            (place / title).mkdir()
            for number in range(count):
                content = photos[number % _DIFFERENT] + number.to_bytes(4, "big")
                (place / title / f"{number}.jpg").write_bytes(content)
        seconds_to_index(place, place / "part", model, None)  # the model is compiled, files are in memory
        found: dict[int | None, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(chosen.rounds):
            for way in ways:
                few, many = (seconds_to_index(place, place / title, model, way) for title in ("part", "all"))
                rate = (chosen.count - chosen.part) / (many - few)
                found[way].append((many - chosen.count / rate, rate))
                note(f"{'alone' if way is None else way}: {few:.1f} s, {many:.1f} s, {rate:.1f} a second")
    local = [rate for _, rate in found[None]]
    rows = []
    for way in ways:
        starting, rate = (median(column) for column in zip(*found[way], strict=True))
        ratio = median(one / other for (_, one), other in zip(found[way], local, strict=True))
        title = "this machine alone" if way is None else f"Ray, {way} encoder{'s' if way > 1 else ''}"
        rows.append((title, f"{starting:.1f} s", f"{rate:.1f}", f"{ratio:.2f}"))
    print_table([f"{chosen.count:,} photos, {chosen.model}", "start", "a second", "of alone"], rows)


if __name__ == "__main__":
    main()
