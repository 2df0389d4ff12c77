"""Measures the figures that docs/benchmarks.md quotes: python -m tests.benchmarks.figures [NAME]...

Times are medians of one run on whatever else the machine is doing; nothing here fails for being slow.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from clipsearch import Catalog
from clipsearch.encoders.load import load_encoder
from clipsearch.evaluation.benchmark import new_text
from clipsearch.evaluation.metrics import ranks, recall_at_k
from clipsearch.indexes.flat import FaissIndex
from clipsearch.paths import sample_data_folder
from clipsearch.vectors import from_bytes, normalise, to_bytes
from tests.benchmarks.measuring import median_s

SAMPLES = sample_data_folder()
DONUT = SAMPLES / "food" / "donut.png"


def donut(scratch: Path) -> None:
    """The doughnut: found first, named, and above 0.8 among four texts."""
    with Catalog.open(scratch / "donut", model="starter", create=True) as catalog:
        catalog.index(SAMPLES)
        catalog.captions.add(list(sample_captions().values()))
        hit = catalog.search("a glazed donut")[0]
        print(f"'a glazed donut' finds first  {_name(hit.path)}  cosine {hit.score:.3f}")
        best = catalog.caption(DONUT)[0]
        print(f"its best caption              {best.text!r}  {best.probability:.3f} of 40")
        texts = [f"a photo of a {noun}" for noun in ("cat", "car", "noodle", "donut")]
        for choice in catalog.classify(DONUT, texts):
            print(f"  {choice.probability:.3f}  {choice.text}")


def recall(scratch: Path) -> None:
    """Retrieval recall on sample_data with the starter model, 40 pictures with a caption each."""
    known = sample_captions()
    with Catalog.open(scratch / "recall", model="starter", create=True) as catalog:
        catalog.index(SAMPLES)
        catalog.captions.add(list(known.values()))
        found = [[_name(hit.path) for hit in catalog.search(text, top_k=40, written=False)] for text in known.values()]
        back = [[hit.text for hit in catalog.caption(SAMPLES / image, top_k=40)] for image in known]
    for title, found_ranks in (
        ("caption → picture", ranks(found, list(known))),
        ("picture → caption", ranks(back, list(known.values()))),
    ):
        print(f"{title}  " + "  ".join(f"recall@{k} {recall_at_k(found_ranks, k):.3f}" for k in (1, 5, 10)))


def again(scratch: Path) -> None:
    """What is embedded when the folder is indexed again, and after a rename, a copy and a delete."""
    photos = scratch / "photos"
    shutil.copytree(SAMPLES, photos)
    with Catalog.open(scratch / "again", model="starter", create=True) as catalog:
        for what in ("first run", "second run", "after a rename, a copy and a delete"):
            if what.startswith("after"):
                (photos / "food" / "donut.png").rename(photos / "renamed.png")
                shutil.copy(photos / "animals" / "cat.jpg", photos / "copy.jpg")
                (photos / "food" / "pizza.jpg").unlink()
            report = catalog.index(photos)
            print(
                f"{what:<36} embedded {report.embedded}, reused {report.reused}, unchanged {report.unchanged}, "
                f"removed {report.removed}, {report.seconds:.2f} s"
            )
        print(f"'a glazed donut' finds first         {Path(catalog.search('a glazed donut')[0].path).name}")


def exactness(scratch: Path) -> None:
    """The FAISS index against a scan with numpy: 10,000 rows, 512 dimensions, 200 queries, top 20."""
    rng = np.random.default_rng(0)
    rows = normalise(rng.standard_normal((10_000, 512)))
    rows = from_bytes([to_bytes(row) for row in rows], 512)
    queries = normalise(rng.standard_normal((200, 512)))
    index = FaissIndex(512)
    ids = rng.permutation(10_000).astype(np.int64)
    index.add(ids, rows)
    scores, found = index.search(queries, 20)
    exact = queries @ rows.T
    order = np.argsort(-exact, axis=1, kind="stable")[:, :20]
    same = found == ids[order]
    worst = np.abs(scores - np.take_along_axis(exact, order, 1)).max()
    # Where an id differs, the two scores must be closer than float32 sums are exact: a tie.
    ties = [
        abs(exact[query, order[query, rank]] - exact[query, np.flatnonzero(ids == found[query, rank])[0]])
        for query, rank in zip(*np.nonzero(~same), strict=True)
    ]
    print(
        f"same id at the same rank  {same.sum()} of {same.size}; the others are ties within {max(ties, default=0):.1e}"
    )
    print(f"largest score difference  {worst:.1e}")


def speed(scratch: Path) -> None:
    """Starter model: images through the encoder, a text, and a search among 200,000 rows."""
    encoder = load_encoder("starter")
    crops = np.random.default_rng(0).integers(0, 256, (256, 260, 260, 3), dtype=np.uint8)
    encoder.encode_images(crops[:32])
    images_s = median_s(lambda: encoder.encode_images(crops), 5)
    encoder.encode_texts(["a cat"])
    text_s = median_s(lambda: encoder.encode_texts(["a glazed donut on a plate"]), 50)
    rows = normalise(np.random.default_rng(1).standard_normal((200_000, 384), dtype=np.float32))
    index = FaissIndex(384)
    index.add(np.arange(200_000, dtype=np.int64), rows)
    search_s = median_s(lambda: index.search(rows[:1], 10), 50)
    print(f"encoder                 {len(crops) / images_s:.0f} images a second")
    print(f"one text                {1000 * text_s:.1f} ms")
    print(f"search, 200,000 × 384   {1000 * search_s:.1f} ms")
    catalog = scratch / "speed"
    command = [sys.executable, "-m", "clipsearch"]
    subprocess.run(
        [*command, "index", SAMPLES, "--catalog", catalog, "--model", "starter"], check=True, capture_output=True
    )
    query = [*command, "query", "--catalog", catalog]
    for words, text in (("new words", new_text), ("words asked before", lambda: "a glazed donut")):
        subprocess.run([*query, text()], check=True, capture_output=True)
        cold_s = median_s(lambda text=text: subprocess.run([*query, text()], check=True, capture_output=True), 5)
        print(f"a cold query process    {cold_s:.2f} s  {words}")


def sample_captions() -> dict[str, str]:
    lines = (SAMPLES / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    return {entry["image"]: entry["caption"] for entry in map(json.loads, lines)}


def _name(path: str) -> str:
    return Path(path).relative_to(SAMPLES).as_posix()


def main() -> None:
    figures = {figure.__name__: figure for figure in (donut, recall, again, exactness, speed)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(figures))
    for name in parser.parse_args().names or figures:
        print(f"\n== {name}: {figures[name].__doc__}", flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            figures[name](Path(scratch))


if __name__ == "__main__":
    main()
