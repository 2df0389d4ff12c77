"""How clipsearch grows with the number of pictures: python -m tests.benchmarks.growth [--sizes 1000,10000,100000]

For each size it makes a folder of that many small files and a catalog in which they are indexed with random
embeddings, and then uses it as people do: whole commands, each a process of its own, and searches in one process.
"""

import argparse
import json
import shutil
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from statistics import median
from time import time_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch import Catalog, paths
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.load import load_encoder
from clipsearch.evaluation.benchmark import new_text
from clipsearch.indexes.snapshot import SnapshotIndex
from clipsearch.session.file_index import CatalogIndex
from clipsearch.store import Store
from clipsearch.vectors import normalise
from tests.benchmarks import material
from tests.benchmarks.measuring import (
    FinishedCommand,
    note,
    print_table,
    run_clipsearch,
    seconds_of,
    workplace,
)

_NEW_FILES = 10
_COLD_QUERIES = 5
_WARM_QUERIES = 50
_KEPT_SHARE = 0.01
_TOP_K = 10


def measure(place: Path, count: int, *, encoder: Encoder) -> Iterator[tuple[str, str]]:
    """Names and values, in the same order for every size."""
    pictures, directory = place / "pictures", place / "catalog"
    shutil.rmtree(pictures / "new", ignore_errors=True)
    material.tree(pictures, count)
    material.catalog(directory, pictures, encoder=encoder)
    yield "snapshot build", _s(seconds_of(lambda: material.write_image_snapshot(directory)))
    yield "index file", _mb(sum(path.stat().st_size for path in _index_files(directory)))
    yield from _measure_rescans(pictures, directory, count)
    yield from _measure_commands(directory)
    yield from _measure_searches(directory, count)


def _measure_rescans(pictures: Path, directory: Path, count: int) -> Iterator[tuple[str, str]]:
    index = ["index", pictures, "--catalog", directory, "--json"]
    before = {path: path.stat().st_mtime_ns for path in _index_files(directory)}
    done = run_clipsearch(*index)
    assert json.loads(done.stdout)["unchanged"] == count, done.stdout[:1000]
    yield "rescan, all unchanged", _s(done.seconds)
    yield "  its peak memory", _mb(done.peak_bytes)
    # Others every time: what is known already would not be embedded again.
    material.small(pictures / "new", _NEW_FILES, seed=time_ns())
    done = run_clipsearch(*index)
    assert json.loads(done.stdout)["embedded"] == _NEW_FILES, done.stdout[:1000]
    yield f"rescan, {_NEW_FILES} new files", _s(done.seconds)
    yield "  its peak memory", _mb(done.peak_bytes)
    is_same = before == {path: path.stat().st_mtime_ns for path in _index_files(directory)}
    yield "  index file", "the same" if is_same else "written anew"


def _measure_commands(directory: Path) -> Iterator[tuple[str, str]]:
    texts = [new_text() for _ in range(_COLD_QUERIES)]

    def ask(text: str) -> FinishedCommand:
        return run_clipsearch("query", text, "--catalog", directory, "--json")

    ask(new_text())  # makes what is made once for this machine
    for words in ("new words", "the same words"):
        done = [ask(text) for text in texts]
        yield f"query command, {words}", _ms(median(command.seconds for command in done))
        yield "  its private memory", _mb(median(command.private_bytes for command in done))
        yield "  that is in no file", _mb(median(command.anonymous_bytes for command in done))


def _measure_searches(directory: Path, count: int) -> Iterator[tuple[str, str]]:
    with Catalog.open(directory) as catalog:
        catalog.search("warm up")
        seconds = [seconds_of(lambda: catalog.search(new_text())) for _ in range(_WARM_QUERIES)]
        yield "Catalog.search, p50", _ms(np.percentile(seconds, 50))
        yield "  p95", _ms(np.percentile(seconds, 95))
    with Store(directory) as store:
        model = store.reader.find_current_model()
        assert model is not None
        folder = paths.index_folder(directory)
        index = CatalogIndex("images", store=store, model_id=model.model_id, folder=folder).get()
        rng = np.random.default_rng(0)
        queries = normalise(rng.standard_normal((_WARM_QUERIES, model.dim)))
        yield "index alone, p50", _ms(_search_s(index, queries))
        kept = np.sort(rng.choice(np.arange(1, count + 1), max(1, round(_KEPT_SHARE * count)), replace=False))
        yield f"  among {_KEPT_SHARE:.0%}, p50", _ms(_search_s(index, queries, among=kept))
        found, _ = index.search(queries, _TOP_K, among=kept)
        rows = [
            rows.embeddings[np.isin(rows.ids, kept)]
            for rows in store.reader.rows_after("images", model_id=model.model_id, dim=model.dim)
        ]
    exact = np.sort(queries @ np.concatenate(rows).T, axis=1)[:, ::-1][:, :_TOP_K]
    assert found.shape == exact.shape
    yield "  off numpy's by at most", f"{np.abs(found - exact).max():.0e}"


def _search_s(index: SnapshotIndex, queries: NDArray[np.float32], **options: Any) -> float:
    index.search(queries[:1], _TOP_K, **options)
    return median(seconds_of(lambda row=row: index.search(row[np.newaxis], _TOP_K, **options)) for row in queries)


def _index_files(directory: Path) -> list[Path]:
    return list(paths.index_folder(directory).glob("*.faiss"))


def _s(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms" if seconds < 0.1 else f"{1000 * seconds:.0f} ms"


def _mb(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:,.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000,1000000", help="numbers of pictures, with commas")
    parser.add_argument("--model", default=material.RANDOM_CLIP, help=material.MODEL_HELP)
    parser.add_argument("--folder", type=Path, help="keep what is made here, and use it again")
    chosen = parser.parse_args()
    sizes = [int(size) for size in chosen.sizes.split(",")]
    results: list[list[tuple[str, str]]] = []
    with workplace(chosen.folder) as place:
        name = material.model_name(place, chosen.model)
        encoder = load_encoder(name)
        try:
            for size in sizes:
                note(f"{size:,} pictures")
                results.append([])
                for what, value in measure(place / f"growth-{size}", size, encoder=encoder):
                    note(f"  {what:<32} {value:>12}")
                    results[-1].append((what, value))
        finally:
            # Also after Ctrl-C: a million pictures take a while.
            names = [[what for what, _ in result] for result in results[:1]]
            values = [[value for _, value in result] for result in results]
            head = [f"{chosen.model}, {encoder.dim} numbers", *(f"{size:,}" for size in sizes[: len(results)])]
            print_table(head, list(zip_longest(*names, *values, fillvalue="")))


if __name__ == "__main__":
    main()
