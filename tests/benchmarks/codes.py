"""Cells of codes at ten million: memory, recall and times: python -m tests.benchmarks.codes [--count 10000000]

Embeddings like those of CLIP (`tests.benchmarks.clip_like`) go straight into an index file, without a database. One
process makes and tunes it, and finds the right answers by comparing all rows; another one searches. It needs 2.4 KB of
disk a picture. With --folder the file stays, and a second run only searches it.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from clipsearch.indexes.flat import sort_by_score, spaced
from clipsearch.indexes.ivf import ROWS_TO_LEARN, IvfIndex
from clipsearch.indexes.ivf_codes import CodedIvfIndex
from clipsearch.indexes.ivf_tuning import Cells, Tuning, find_cells, usual_cells
from clipsearch.indexes.load import load_index
from clipsearch.indexes.row_file import RowWriter
from clipsearch.indexes.snapshot import SnapshotIndex
from tests.benchmarks.clip_like import ClipLike, Rows
from tests.benchmarks.measuring import REPOSITORY, note, print_table, seconds_of, workplace

_TUNING_TEXTS, _TUNING_PICTURES = 680, 128
_QUERIES = 200
_TOP_K = 10
_CHUNK = 20_000


def _texts(made: ClipLike) -> Rows:
    return made.texts[np.random.default_rng(1).permutation(len(made.texts))]


def _queries(made: ClipLike) -> Rows:
    """Texts, then pictures, that the index is not tuned on."""
    return np.concatenate((_texts(made)[-_QUERIES:], next(made.make_pictures(_QUERIES, seed=99))))


def _write_rows(made: ClipLike, count: int, path: Path) -> None:
    """Write float16 rows (count, dim), in the place of a database."""
    with path.open("wb") as file:
        for rows in made.make_pictures(count):
            file.write(rows.astype("<f2").tobytes())


def _read_rows(path: Path, numbers: NDArray[np.int64], dim: int) -> Rows:
    """Read rows as a process does that has not mapped them."""
    rows = np.empty((len(numbers), dim), np.float16)
    with path.open("rb", buffering=0) as file:
        for place, number in enumerate(numbers.tolist()):
            file.seek(2 * dim * number)
            file.readinto(rows[place])
    return rows.astype(np.float32)


def make(folder: Path, count: int, cells: Cells) -> dict[str, Any]:
    """Build, tune and save an index; return what it cost, and write the right answers beside it."""
    made = ClipLike()
    index = (
        CodedIvfIndex(made.dim, cells.nlist, rows=RowWriter(folder / "rows.new", made.dim))
        if cells.codes == "SQ4"
        else IvfIndex(made.dim, cells.nlist)
    )
    said: dict[str, Any] = {}
    path = folder / "rows"
    _write_rows(made, count, path)
    note(f"rows written, {_peak_gb():.2f} GB")
    sample = _read_rows(path, spaced(count, ROWS_TO_LEARN * cells.nlist), made.dim)
    start = time.perf_counter()
    index.learn(sample)
    del sample
    said["learn"] = time.perf_counter() - start
    note(f"learnt in {said['learn']:.0f} s, {_peak_gb():.2f} GB")
    queries, best = _queries(made), (np.empty((2 * _QUERIES, 0), np.float32), np.empty((2 * _QUERIES, 0), np.int64))
    said["add"] = 0.0
    for first in range(0, count, _CHUNK):
        rows = np.fromfile(path, "<f2", _CHUNK * made.dim, offset=2 * made.dim * first).reshape(-1, made.dim)
        rows = rows.astype(np.float32)
        ids = np.arange(first, first + len(rows), dtype=np.int64) + 1
        said["add"] += seconds_of(lambda ids=ids, rows=rows: index.add(ids, rows))
        scores, places = faiss.knn(queries, rows, _TOP_K, faiss.METRIC_INNER_PRODUCT)
        best = sort_by_score(
            np.concatenate((best[0], scores), axis=1), np.concatenate((best[1], ids[places]), axis=1), _TOP_K
        )
        if first % 500_000 == 0:
            note(f"{first:,} added in {said['add']:.0f} s, {_peak_gb():.2f} GB")
    np.savez(folder / "right.npz", ids=best[1], scores=best[0])
    numbers = spaced(count, _TUNING_PICTURES)
    pictures = _read_rows(path, numbers, made.dim)
    path.unlink()
    tuned: list[Tuning] = []
    texts = _texts(made)[:_TUNING_TEXTS]
    said["tune"] = seconds_of(lambda: tuned.append(index.tune(texts, pictures, numbers + 1, trained_rows=count)))
    note(f"tuned in {said['tune']:.0f} s: {tuned[0]}")
    said["save"] = seconds_of(lambda: index.save(folder / "index.faiss"))
    (folder / "ann.json").write_text(tuned[0].to_json())
    said["peak_gb"] = _peak_gb()
    return said


def search(folder: Path, count: int) -> dict[str, Any]:
    """Search an index file, as a process does that opens it; return recall, times and memory."""
    made, ann = ClipLike(), (folder / "ann.json").read_text()
    queries = _queries(made)
    with np.load(folder / "right.npz") as file:
        right_ids, right_scores = file["ids"], file["scores"]
    before = _memory_gb()
    base = load_index(folder / "index.faiss", dim=made.dim, count=count, ann=ann)
    index = SnapshotIndex(made.dim, base)
    tuning = Tuning.from_json(ann)
    said: dict[str, Any] = {"before_gb": before, "nprobe": f"{tuning.nprobe} of {tuning.nlist}"}
    said |= {"rescored": tuning.rescored, "said": [tuning.text_recall, tuning.picture_recall]}
    found = [_timed(index, row) for row in queries]  # every page that they need is read
    ids = np.concatenate([each[1] for each, _, _ in found])
    scores = np.concatenate([each[0] for each, _, _ in found])
    kinds = {"texts": slice(None, _QUERIES), "pictures": slice(_QUERIES, None)}
    for kind, part in kinds.items():
        said[f"recall_{kind}"] = _recall(ids[part], right_ids[part])
    same = ids == right_ids
    said["off_by"] = float(np.abs(scores - right_scores)[same].max())
    said["first_ms"] = float(np.median([ms for _, ms, _ in found]))
    times = [_timed(index, row)[1:] for row in queries for _ in range(2)]
    said["p50_ms"], said["p95_ms"] = np.percentile([wall for wall, _ in times], [50, 95]).tolist()
    said["cpu_ms"], said["best_ms"] = float(np.median([cpu for _, cpu in times])), min(wall for wall, _ in times)
    for share in (0.0001, 0.01, 0.2):
        among = np.sort(np.random.default_rng(2).choice(count, int(count * share), replace=False)).astype(np.int64) + 1
        said[f"among_{share}_cpu_ms"] = float(
            np.median([_timed(index, row, among=among)[2] for row in queries[:: len(queries) // 10]])
        )
    said["rss_gb"], said["anonymous_gb"] = _memory_gb(), _memory_gb("RssAnon")
    return said


def _timed(index: SnapshotIndex, row: Rows, **options: Any) -> tuple[tuple[Rows, NDArray[np.int64]], float, float]:
    """Search and return hits, milliseconds, and milliseconds of processor time."""
    cpu, start = time.process_time(), time.perf_counter()
    found = index.search(row[np.newaxis], _TOP_K, **options)
    return found, 1000 * (time.perf_counter() - start), 1000 * (time.process_time() - cpu)


def _recall(found: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    return float(np.mean([np.isin(those, some).mean() for some, those in zip(found, right, strict=True)]))


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def _memory_gb(name: str = "VmRSS") -> float:
    """Memory of this process now, pages of mapped files included."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024 / 1e9


def _in_another_process(step: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.codes", "--step", step, *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000_000, help="number of pictures")
    parser.add_argument("--ann", help="cells, as in IVF8192,SQ4; as an index run chooses them")
    parser.add_argument("--folder", type=Path, help="keep the file here, and use it again")
    parser.add_argument("--step", choices=["make", "search"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    cells = (find_cells(chosen.ann) if chosen.ann else None) or usual_cells(chosen.count)
    if chosen.step == "make":
        print(json.dumps(make(chosen.folder, chosen.count, cells)))
        return
    if chosen.step == "search":
        print(json.dumps(search(chosen.folder, chosen.count)))
        return
    with workplace(chosen.folder) as place:
        arguments = ("--count", str(chosen.count), "--ann", cells.spec, "--folder", str(place))
        said: dict[str, Any] = {}
        if not (place / "ann.json").exists():
            said = _in_another_process("make", *arguments)
        size = (place / "index.faiss").stat().st_size / chosen.count
        said |= {"bytes": size} | _in_another_process("search", *arguments)
    print_table([cells.spec, f"{chosen.count:,}"], [(name, _shown(value)) for name, value in said.items()])


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1 else f"{value:,.1f}"
    return ", ".join(map(_shown, value)) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    main()
