"""The map of meaning: python -m tests.benchmarks.map [--pictures 1000 100000] [--browser]

How many of a picture's 10 nearest pictures by their embeddings are among its 50 nearest on the map, and the seconds and
memory of laying out: of the labelled photographs (../shared/labelled-photos), and of embeddings like those of CLIP (see
`clip_like`); beside those of `pacmap` and `umap-learn` where they are installed, which clipsearch does not need. With
--pictures, a catalog of that many pictures: the whole of `clipsearch map`, opening it again, and a filter; --browser
shows it in Chromium without a GPU, and counts the frames a second while it is moved.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from clipsearch import Catalog
from clipsearch.indexes.neighbours import find_neighbours
from clipsearch.scoring.layout import lay_out
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.types import ImageMetadata
from tests.benchmarks.clip_like import ClipLike
from tests.benchmarks.measuring import REPOSITORY, run_clipsearch

Rows = NDArray[np.float32]

_ASKED, _NEAR, _AMONG = 2_000, 10, 50
_STORED_AT_ONCE = 10_000


def _ours(rows: Rows) -> Rows:
    return lay_out(rows, find_neighbours)


def _pacmap(rows: Rows) -> Rows:
    import pacmap

    return np.asarray(pacmap.PaCMAP(random_state=0).fit_transform(rows), dtype=np.float32)


def _umap(rows: Rows) -> Rows:
    import umap

    return np.asarray(umap.UMAP(metric="cosine", random_state=0).fit_transform(rows), dtype=np.float32)


WAYS: dict[str, Callable[[Rows], Rows]] = {"clipsearch": _ours, "pacmap": _pacmap, "umap": _umap}


def kept_share(rows: Rows, positions: Rows) -> float:
    """Share of the nearest rows that are among the nearest positions, of some rows."""
    asked = np.random.default_rng(1).choice(len(rows), min(_ASKED, len(rows)), replace=False)
    found = 0
    for row in asked.tolist():
        near = np.argsort(-(rows @ rows[row]), kind="stable")
        apart = ((positions - positions[row]) ** 2).sum(axis=1)
        among = np.argpartition(apart, min(_AMONG, len(apart) - 1))[: _AMONG + 1]
        found += len(np.intersect1d(near[near != row][:_NEAR], among))
    return found / (_NEAR * len(asked))


def trustworthiness(rows: Rows, positions: Rows, count: int = _NEAR) -> float:
    """How few of the nearest positions are far away as rows; 1 is best.

    Source: J. Venna and S. Kaski, "Neighborhood preservation in nonlinear projection methods", ICANN 2001.
    """
    total, penalty = len(rows), 0
    for row in range(total):
        order = np.argsort(-(rows @ rows[row]), kind="stable")
        rank = np.empty(total, dtype=np.int64)
        rank[order[order != row]] = np.arange(1, total)
        apart = ((positions - positions[row]) ** 2).sum(axis=1)
        apart[row] = np.inf
        penalty += int(np.maximum(rank[np.argsort(apart, kind="stable")[:count]] - count, 0).sum())
    return 1 - 2 / (total * count * (2 * total - 3 * count - 1)) * penalty


def measure_layout(way: str, path: Path) -> None:
    """Lay out rows in this process alone, whose memory is measured."""
    rows = np.load(path)
    before, start = resource.getrusage(resource.RUSAGE_SELF), perf_counter()
    try:
        positions = WAYS[way](rows)
    except ImportError:
        print(f"  {way}: not installed")
        return
    seconds, after = perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    trust = f", trustworthiness {trustworthiness(rows, positions):.3f}" if len(rows) <= 5_000 else ""
    print(
        f"  {way}: {kept_share(rows, positions):.3f} kept{trust}; {seconds:.1f} s, of the processors "
        f"{after.ru_utime - before.ru_utime:.0f} s, {after.ru_maxrss / 1e6:.2f} GB",
        flush=True,
    )


def _photographs() -> Rows:
    shared = REPOSITORY.parent / "shared" / "labelled-photos"
    with tempfile.TemporaryDirectory() as folder, Catalog.open(folder, model="starter", create=True) as catalog:
        paths = [shared / json.loads(line)["image"] for line in (shared / "labels.jsonl").read_text().splitlines()]
        return np.stack([catalog.pictures.embed(str(path)) for path in paths])


def compare(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sets = {"labelled photographs": _photographs, "like CLIP": lambda: _clip_like(count)}
        for name, make in sets.items():
            path = Path(folder) / "rows.npy"
            np.save(path, make())
            print(f"{name}:", flush=True)
            for way in WAYS:
                command = [sys.executable, "-m", "tests.benchmarks.map", "--way", way, "--rows", str(path)]
                subprocess.run(command, cwd=REPOSITORY, check=True)


def _clip_like(count: int) -> Rows:
    return np.concatenate(list(ClipLike().make_pictures(count)))


def measure_catalog(count: int, *, is_shown: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "catalog"
        _fill(directory, count)
        made = run_clipsearch("map", "--catalog", directory)
        print(f"{count:,} pictures: clipsearch map {made.seconds:.1f} s, {made.peak_bytes / 1e9:.2f} GB at most")
        print("  " + made.stdout.splitlines()[0])
        with Catalog.open(directory) as catalog:
            start = perf_counter()
            found = catalog.pictures.map()
            print(f"  opened in {perf_counter() - start:.2f} s", end="")
            start = perf_counter()
            hits = catalog.pictures.facets(found.regions[0].query)
            print(f", a filter {1_000 * (perf_counter() - start):.0f} ms for {hits.pictures:,} pictures", flush=True)
        if is_shown:
            show(directory)


def _fill(directory: Path, count: int) -> None:
    """Pictures of a model that is there, so that regions are named; their embeddings are made from its own."""
    with Catalog.open(directory, model="starter", create=True) as catalog:
        model_id, dim = catalog.model.model_id, catalog.model.dim
    rows = _clip_like(count)[:, :dim]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with Store(directory) as store:
        root = store.roots.add("/photos").root_id
        for first in range(0, count, _STORED_AT_ONCE):
            records, files = [], []
            for number in range(first, min(count, first + _STORED_AT_ONCE)):
                checksum = number.to_bytes(32, "big")
                metadata = ImageMetadata(width=1, height=1, format="JPEG")
                records.append(ContentRecord(checksum, 1, metadata, rows[number]))
                files.append(FileRecord(root, f"{number:07}.jpg", 1, 0, checksum, None))
            store.pictures.record(records, files, model_id=model_id)


@contextmanager
def _serving(directory: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "clipsearch", "serve", "--catalog", str(directory), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


_COUNT_FRAMES = """() => new Promise((resolve) => {
  const canvas = document.getElementById("map"), box = canvas.getBoundingClientRect(), start = performance.now();
  const send = (kind, x) => canvas.dispatchEvent(new PointerEvent(kind,
    { pointerId: 1, clientX: box.x + x, clientY: box.y + 300, bubbles: true, button: 0 }));
  canvas.setPointerCapture = () => {};
  let frames = 0;
  send("pointerdown", 300);
  const step = () => {
    frames += 1;
    send("pointermove", 300 + 100 * Math.sin(frames / 10));
    const seconds = (performance.now() - start) / 1000;
    if (seconds < 3) return requestAnimationFrame(step);
    send("pointercancel", 300);
    resolve(frames / seconds);
  };
  requestAnimationFrame(step);
})"""


def show(directory: Path) -> None:
    from playwright.sync_api import sync_playwright

    with _serving(directory) as address, sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-gpu-rasterization"]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 820})
        for visit in ("first", "second"):
            start = perf_counter()
            page.goto(f"{address}map")
            page.wait_for_selector("#map-inside[href*='q=']")
            print(f"  {visit} visit: shown after {perf_counter() - start:.2f} s", end="")
        for zoom in (1, 3, 10):
            page.goto("about:blank")
            page.goto(f"{address}map#0.5,0.5,{zoom}")
            page.wait_for_selector("#map-inside[href*='q=']")
            print(f"; moved at zoom {zoom}: {page.evaluate(_COUNT_FRAMES):.0f} frames a second", end="")
        print()
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compared", type=int, default=100_000, help="pictures like those of CLIP that are laid out")
    parser.add_argument("--pictures", type=int, nargs="+")
    parser.add_argument("--browser", action="store_true")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        measure_layout(options.way, options.rows)
    elif options.pictures:
        for count in options.pictures:
            measure_catalog(count, is_shown=options.browser)
    else:
        compare(options.compared)


if __name__ == "__main__":
    main()
