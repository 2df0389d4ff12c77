"""What is told of a page of 40 hits, and its cost: python -m tests.benchmarks.hits CATALOG [--rounds 200]

A copy of the catalog in which each picture has a date, coordinates and a description is asked over the HTTP API, within
this process. A query is asked once before it is measured, so that its words are cached. Least and median time of an
answer, and of reading what is told of its hits alone.
"""

import argparse
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

import numpy as np
from fastapi.testclient import TestClient

from clipsearch import Catalog
from clipsearch.description import Description, pack
from clipsearch.web.app import make_app
from tests.benchmarks.measuring import print_table

HITS = 40
QUERIES = ("a dog", "type:jpeg")


def describe_all(directory: Path) -> None:
    rng = random.Random(0)
    with closing(sqlite3.connect(directory / "catalog.sqlite3", isolation_level=None)) as connection:
        ids = [row[0] for row in connection.execute("SELECT content_id FROM contents")]
        connection.executemany(
            "UPDATE contents SET taken_at = ?, latitude = ?, longitude = ?, described = ? WHERE content_id = ?",
            [
                (
                    str(datetime(2020, 1, 1) + timedelta(seconds=rng.randrange(10**8))) + ".000000",
                    *(48 + rng.gauss(0, 3), 11 + rng.gauss(0, 3)),
                    pack(Description(title=f"title {number}", keywords=("one", "two"), rating=rng.randrange(6))),
                    number,
                )
                for number in ids
            ],
        )


def times_ms(work: Callable[[], object], rounds: int) -> tuple[str, str]:
    found = []
    for _ in range(rounds):
        start = perf_counter()
        work()
        found.append(1000 * (perf_counter() - start))
    return f"{min(found):.1f} ms", f"{np.median(found):.1f} ms"


def measure(query: str, catalog: Catalog, client: TestClient, rounds: int) -> list[tuple[str, ...]]:
    def ask() -> list[int]:
        answer = client.get("/api/search", params={"q": query, "k": HITS}).raise_for_status()
        return [hit["id"] for hit in answer.json()["hits"]]

    ids = ask()
    return [
        (f"GET /api/search?q={query}", *times_ms(ask, rounds)),
        ("what is told of them", *times_ms(lambda: catalog.pictures.summaries(ids), rounds)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(shutil.copytree(options.catalog, Path(folder) / "catalog"))
        describe_all(directory)
        rows = []
        with (
            Catalog.open(directory, shared=True) as catalog,
            TestClient(make_app(catalog), base_url="http://127.0.0.1") as client,
        ):
            for query in QUERIES:
                rows += measure(query, catalog, client, options.rounds)
    print_table((f"{HITS} hits", "least", "median"), rows)


if __name__ == "__main__":
    main()
