"""How long the page of duplicates makes one wait: python -m tests.benchmarks.duplicate_page FOLDER | --rows 100000

FOLDER holds photographs. --copies of them are also saved under another name, at half the size, and as JPEG of quality
50, and all are indexed. With `--rows N`: N small files with random embeddings and hashes, of which one in a hundred is
there twice. Printed are the seconds from the first request until groups are shown, and until all are found, and
what a page of groups takes then.
"""

import argparse
import random
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from blake3 import blake3
from fastapi.testclient import TestClient
from PIL import Image

from clipsearch import Catalog
from clipsearch.encoders.load import load_encoder
from clipsearch.formats import IMAGE_SUFFIXES
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.web.app import make_app
from tests.benchmarks import material
from tests.benchmarks.measuring import median_s, workplace

# Of this number of files, one is there twice.
_FILES_PER_COPY = 100


def make_photographs(folder: Path, out: Path, *, copies: int) -> None:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    random.Random(0).shuffle(found)
    for name in ("originals", "renamed", "small", "recompressed"):
        (out / name).mkdir(parents=True)
    for number, path in enumerate(found):
        shutil.copy2(path, out / "originals" / f"{number:04}{path.suffix}")
        if number >= copies:
            continue
        shutil.copy2(path, out / "renamed" / f"IMG_{number:04}{path.suffix}")
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        picture.resize((picture.width // 2, picture.height // 2)).save(out / "small" / f"{number:04}.jpg", quality=85)
        picture.save(out / "recompressed" / f"{number:04}.jpg", quality=50)


def make_rows(place: Path, directory: Path, *, count: int, model: str) -> None:
    material.tree(place, count)
    files = sorted(place.rglob("*.jpg"))
    copies = range(count // _FILES_PER_COPY)
    for number in copies:
        shutil.copyfile(files[number], files[-1 - number])
    encoder = load_encoder(model)
    try:
        material.catalog(directory, place, encoder=encoder)
    finally:
        encoder.close()
    hashes = np.random.default_rng(1).integers(1, 1 << 62, count).tolist()
    with closing(sqlite3.connect(directory / DATABASE_NAME)) as connection:
        connection.executemany(
            "UPDATE contents SET blake3 = ?, phash = ? WHERE content_id = ?",
            [
                (
                    blake3(path.read_bytes()).digest()
                    if number < count - len(copies)
                    else bytes(28) + number.to_bytes(4),
                    phash,
                    number + 1,
                )
                for number, (path, phash) in enumerate(zip(files, hashes, strict=True))
            ],
        )
        connection.executemany(
            "UPDATE files SET content_id = ? WHERE content_id = ?", [(number + 1, count - number) for number in copies]
        )
        connection.commit()
    material.write_image_snapshot(directory)


def measure(directory: Path) -> None:
    with (
        Catalog.open(directory, shared=True) as catalog,
        TestClient(make_app(catalog), base_url="http://127.0.0.1") as client,
    ):
        start, first = time.perf_counter(), None
        while (said := client.get("/api/duplicates").json())["state"] == "running":
            if first is None and said["groups"]:
                first = time.perf_counter() - start
                print(f"first groups after {first:.1f} s: {said['group_count']:,}")
            time.sleep(0.1)
        print(f"all after {time.perf_counter() - start:.1f} s: {said['group_count']:,} {said['error']}")
        print(f"a page of groups, median of 5: {median_s(lambda: client.get('/duplicates'), 5):.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--copies", type=int, default=100)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--model", default="starter")
    chosen = parser.parse_args()
    with workplace(None) as place:
        if chosen.rows:
            make_rows(place / "pictures", place / "catalog", count=chosen.rows, model=chosen.model)
        else:
            make_photographs(chosen.folder, place / "pictures", copies=chosen.copies)
            with Catalog.open(place / "catalog", model=chosen.model, create=True) as catalog:
                catalog.index(place / "pictures")
        measure(place / "catalog")


if __name__ == "__main__":
    main()
