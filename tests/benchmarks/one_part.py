"""What parts cost catalogs that have none: python -m tests.benchmarks.one_part OTHER [--count 1000000]

OTHER is the tree of another version, as `git archive VERSION | tar -x -C OTHER` makes it. Each version, in a process of
its own, stores random embeddings of as many whole pictures, and searches in turns with the other. Times are medians
of the processor's, of one thread.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

# Of this version or of the other: nothing here is newer than that.
from clipsearch.paths import index_folder
from clipsearch.query import parse_query
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.relevance import learn_background
from clipsearch.search.retrieval import search_pictures
from clipsearch.session.columns import CatalogColumns
from clipsearch.session.file_index import CatalogIndex
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.types import ImageMetadata
from clipsearch.vectors import normalise

_DIM, _BATCH, _TIMES, _ROUNDS = 64, 5_000, 15, 3
_FILTERS = {"1 %": "taken:2010-01..2010-03", "50 %": "taken:..2012-07-18"}
_CAMERAS = ("Canon EOS R5", "NIKON Z 6", "Apple iPhone 15", "SONY ILCE-7M4", "FUJIFILM X-T5")


def fill(store: Store, count: int) -> int:
    """Store whole pictures, taken one an hour from 2000 on; return the id of their model."""
    random = np.random.default_rng(0)
    model_id = store.models.add(name="m", fingerprint="ab" * 32, dim=_DIM).model_id
    root_id = store.roots.add("/photos").root_id
    for first in range(0, count, _BATCH):
        rows = normalise(random.standard_normal((min(_BATCH, count - first), _DIM)))
        contents, files = [], []
        for number, row in enumerate(rows, start=first):
            digest = random.bytes(32)
            taken_at = datetime(2000, 1, 1) + timedelta(hours=number % 220_000)
            metadata = ImageMetadata(4000, 3000, "JPEG", taken_at, _CAMERAS[number % len(_CAMERAS)])
            contents.append(ContentRecord(digest, 3_000_000, metadata, row))
            files.append(FileRecord(root_id, f"{number // 1000}/img_{number}.jpg", 3_000_000, 5, digest))
        store.pictures.record(contents, files, model_id=model_id)
    return model_id


def cpu_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_TIMES):
        start = time.process_time()
        work()
        times.append(1000 * (time.process_time() - start))
    return median(times)


def measure(place: Path, count: int) -> dict[str, float]:
    """Make the catalog unless it is there, and measure it."""
    folder = index_folder(place)
    is_new = not place.exists()
    with Store(place, create=True) as store:
        model_id = fill(store, count) if is_new else store.models.list_all()[0].model_id
        index_of = CatalogIndex("images", store=store, model_id=model_id, folder=folder)
        columns = CatalogColumns(store, folder)
        columns.get()
        if is_new:
            from clipsearch.session.columns import rebuild_columns
            from clipsearch.session.file_index import rebuild_snapshot

            rebuild_columns(store, folder)
            rebuild_snapshot("images", store=store, model_id=model_id, folder=folder)
        index = index_of.get()
        random = np.random.default_rng(1)
        background = learn_background(index, Bank(normalise(random.standard_normal((3, _DIM))), 100.0, 0.0, 5.0))
        direction = background.direction(list(normalise(random.standard_normal((1, _DIM)))), [1.0], are_words=[False])
        search = partial(
            search_pictures,
            [direction],
            background=background,
            index=index,
            store=store,
            model_id=model_id,
            top_k=20,
        )

        def search_among(filters: tuple) -> object:
            return search(among=columns.ask(lambda current: current.select(filters)), filters=filters)

        found = {"a search, ms": cpu_ms(search)}
        for name, text in _FILTERS.items():
            found[f"among {name}, ms"] = cpu_ms(partial(search_among, parse_query(f"x {text}").filters))
        index_of.close()
    found["database, bytes"] = (place / "catalog.sqlite3").stat().st_size
    found["columns, bytes"] = max((file.stat().st_size for file in folder.glob("columns-*.bin")), default=0)
    return found


def run_version(tree: Path, place: Path, count: int) -> dict[str, float]:
    own = {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", __file__, "--measure", str(place), "--count", str(count)]
    done = subprocess.run(command, cwd=tree, env=os.environ | own, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?", help="the tree of the other version")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="keep what is made here; default: a temporary folder")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure is not None:
        print(json.dumps(measure(chosen.measure, chosen.count)))
        return
    from tests.benchmarks.measuring import REPOSITORY, print_table, workplace

    trees = {"other": chosen.other.resolve(), "this": REPOSITORY}
    with workplace(chosen.folder) as folder:
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
        for number in range(_ROUNDS):
            for name in sorted(trees, reverse=number % 2 == 1):
                rounds[name].append(run_version(trees[name], folder / f"{name}-{chosen.count}", chosen.count))
    values = {name: {key: median(each[key] for each in found) for key in found[0]} for name, found in rounds.items()}
    rows = [
        [key, *(f"{values[name][key]:,.{0 if 'bytes' in key else 2}f}" for name in trees)] for key in values["this"]
    ]
    print_table([f"{chosen.count:,} pictures", *trees], rows)


if __name__ == "__main__":
    main()
