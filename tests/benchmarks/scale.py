"""Exact search and search by cells as a catalog grows: python -m tests.benchmarks.scale [--sizes 100000,1000000]

Embeddings like those of CLIP (`tests.benchmarks.clip_like`) are put into a catalog's database and its index files made
from it, as an index run does. The index with cells is tuned on some texts and pictures, and asked for others. With
--folder all of it stays, and a second run only takes the times.
"""

import argparse
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.indexes.ivf_tuning import Cells, Tuning, find_cells, usual_cells
from clipsearch.indexes.snapshot import SnapshotIndex, file_checksum
from clipsearch.paths import index_folder
from clipsearch.session.file_index import CatalogIndex
from clipsearch.session.index_files import write_ann_snapshot, write_snapshot
from clipsearch.store import Store, StoredModel
from clipsearch.store.backends.connection import DATABASE_NAME
from tests.benchmarks.clip_like import ClipLike, Rows
from tests.benchmarks.measuring import note, print_table, seconds_of, workplace

_TUNING_TEXTS = 256
_QUERIES = 200
_TOP_K = 10


def fill(directory: Path, pictures: Iterable[Rows], *, dim: int) -> None:
    """A catalog with these embeddings, parts of (n, dim), and nothing else of their pictures; ids count from 1."""
    with Store(directory, create=True) as store:
        model = store.models.add(name="clip-like", fingerprint="c" * 64, dim=dim)
        store.models.set_current(model.model_id)
    with closing(sqlite3.connect(directory / DATABASE_NAME, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        first = 1
        for rows in pictures:
            numbers = range(first, first + len(rows))
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO image_embeddings (embedding_id, model_id, part_id, embedding) VALUES (?, ?, ?, ?)",
                (
                    (number, model.model_id, number, row.tobytes())
                    for number, row in zip(numbers, rows.astype("<f2"), strict=True)
                ),
            )
            connection.execute("COMMIT")
            first += len(rows)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def measure(directory: Path, count: int, made: ClipLike, *, cells: Cells) -> Iterator[tuple[str, str]]:
    if not (directory / DATABASE_NAME).exists():
        fill(directory, made.make_pictures(count), dim=made.dim)
    folder = index_folder(directory)
    texts = made.texts[np.random.default_rng(1).permutation(len(made.texts))]
    asked = {"texts": texts[-_QUERIES:], "pictures": next(made.make_pictures(_QUERIES, seed=99))}
    among = np.sort(np.random.default_rng(2).choice(count, count // 100, replace=False)).astype(np.int64) + 1
    with Store(directory) as store:
        model = store.reader.find_current_model()
        assert model is not None
        where: dict[str, Any] = {"store": store, "model_id": model.model_id, "folder": folder}
        yield "database, bytes a picture", f"{store.size_bytes / count:,.0f}"
        kept = _tuning_in_use(store, model)
        right, filtered = dict[str, NDArray[np.int64]](), dict[str, tuple[Rows, NDArray[np.int64]]]()
        if kept is None or kept.cells != cells:
            yield "exact: build", f"{seconds_of(lambda: write_snapshot('images', **where)):.0f} s"
            yield "  bytes a picture", f"{_size(folder) / count:,.0f}"
            exact = CatalogIndex("images", **where).get()
            _read_through(folder)
            yield from _latencies(exact, asked)
            yield from _latencies(exact, asked, among=among, title="  1 % of the pictures")
            right = {kind: exact.search(rows, _TOP_K)[1] for kind, rows in asked.items()}
            filtered = {kind: exact.search(rows, _TOP_K, among=among) for kind, rows in asked.items()}
            del exact
            seconds = seconds_of(lambda: write_ann_snapshot(cells, texts=texts[:_TUNING_TEXTS], **where))
            yield "cells: build, learn and tune", f"{seconds:.0f} s"
        tuning = _tuning_in_use(store, model)
        assert tuning is not None
        yield "  cells looked into, scored again", f"{tuning.nprobe} of {tuning.nlist}, {tuning.rescored}"
        yield "  bytes a picture", f"{_size(folder) / count:,.0f}"
        opening = CatalogIndex("images", **where)
        yield "  opened in", f"{1000 * seconds_of(opening.get):.0f} ms"
        index = opening.get()
        yield "  the file read once", f"{seconds_of(lambda: _read_through(folder)):.0f} s"
        yield from _latencies(index, asked)
        for kind, recall in (("texts", tuning.text_recall), ("pictures", tuning.picture_recall)):
            if not right:  # an earlier run has told
                break
            found = _recall(index.search(asked[kind], _TOP_K)[1], right[kind])
            yield f"  index_recall@10, {kind}", f"{found:.3f} (said {recall:.3f})"
            hundred = _hundred(index, asked[kind], right[kind])
            yield "    first ten of 100", f"{hundred:.3f}"
        yield from _latencies(index, asked, among=among, title="  1 % of the pictures")
        for kind, (scores, ids) in filtered.items():
            found_scores, found_ids = index.search(asked[kind], _TOP_K, among=among)
            off = float(np.abs(found_scores - scores).max())
            yield f"    the same as exact, {kind}", f"{_recall(found_ids, ids):.3f}, off by {off:.0e}"
        half = np.sort(np.random.default_rng(3).choice(count, count // 5, replace=False)).astype(np.int64) + 1
        yield from _latencies(index, asked, among=half, title="  20 % of the pictures")


def _tuning_in_use(store: Store, model: StoredModel) -> Tuning | None:
    snapshot = store.reader.find_snapshot("images", model_id=model.model_id)
    return None if snapshot is None or snapshot.ann is None else Tuning.from_json(snapshot.ann)


def _read_through(folder: Path) -> None:
    """So that what is measured next is the search and not the disk."""
    for path in folder.glob("*.faiss"):
        file_checksum(path)


def _latencies(
    index: SnapshotIndex, asked: dict[str, Rows], *, among: NDArray[np.int64] | None = None, title: str = "  a search"
) -> Iterator[tuple[str, str]]:
    rows = np.concatenate([each[:50] for each in asked.values()])
    index.search(rows[:1], _TOP_K, among=among)
    ms = [1000 * seconds_of(lambda row=row: index.search(row[np.newaxis], _TOP_K, among=among)) for row in rows]
    yield f"{title}, p50 / p95", f"{np.percentile(ms, 50):.1f} / {np.percentile(ms, 95):.1f} ms"


def _hundred(index: SnapshotIndex, rows: Rows, right: NDArray[np.int64]) -> float:
    return _recall(index.search(rows, 100)[1], right)


def _recall(found: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    return float(np.mean([np.isin(those, some).mean() for some, those in zip(found, right, strict=True)]))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.faiss"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100000,1000000", help="numbers of pictures, with commas")
    parser.add_argument("--ann", help="cells, as in IVF4096,SQ4; as an index run chooses them")
    parser.add_argument("--folder", type=Path, help="keep what is made here, and use it again")
    chosen = parser.parse_args()
    sizes = [int(size) for size in chosen.sizes.split(",")]
    made, results = ClipLike(), list[list[tuple[str, str]]]()
    with workplace(chosen.folder) as place:
        try:
            for size in sizes:
                note(f"{size:,} pictures")
                results.append([])
                cells = (find_cells(chosen.ann) if chosen.ann else None) or usual_cells(size)
                for what, value in measure(place / f"scale-{size}", size, made, cells=cells):
                    note(f"  {what:<32} {value:>24}")
                    results[-1].append((what, value))
        finally:
            names = [[what for what, _ in result] for result in results[:1]]
            values = [[value for _, value in result] for result in results]
            head = ["CLIP-like, 512 numbers", *(f"{size:,}" for size in sizes[: len(results)])]
            print_table(head, list(zip_longest(*names, *values, fillvalue="")))


if __name__ == "__main__":
    main()
