"""How long a catalog of the first schema takes to upgrade: python -m tests.benchmarks.upgrading [NUMBER ...]

For each number of pictures a catalog with schema 0001 is made, with embeddings of 512 numbers, and upgraded to the
newest schema, with the copy that is made first. Prints seconds, the sizes of copy and catalog, and the most that both
and SQLite's journal had at a time, as a multiple of the catalog before.
"""

import argparse
import contextlib
import sqlite3
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.migrate import upgrade

SCHEMA = Path(__file__).parents[1] / "store" / "schema_0001.sql"
ADDED_AT = "2026-11-23 18:40:39.295508"
DIM = 512
MTIME_NS = 1795459238814731799


def make_catalog(database: Path, number: int) -> None:
    """Fill a catalog of the first schema with pictures in folders of a thousand; its own three have no embeddings."""
    row = np.random.default_rng(0).normal(size=DIM)
    embedding = (row / np.linalg.norm(row)).astype(np.float16).tobytes()
    ids = range(10, 10 + number)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript(SCHEMA.read_text(encoding="utf-8"))
        connection.execute("DELETE FROM caption_embeddings")
        connection.execute("DELETE FROM image_embeddings")
        connection.execute("UPDATE models SET dim = ?", (DIM,))
        connection.executemany(
            "INSERT INTO contents VALUES (?, ?, 3000000, 4000, 3000, 'JPEG', ?, 'Canon EOS R5', 48.1, 11.6, ?)",
            ((each, each.to_bytes(32, "big"), ADDED_AT, ADDED_AT) for each in ids),
        )
        connection.executemany(
            "INSERT INTO files VALUES (?, 1, ?, 3000000, ?, ?, NULL)",
            ((each, f"{each // 1000}/IMG_{each}.jpg".encode(), MTIME_NS, each) for each in ids),
        )
        connection.executemany(
            "INSERT INTO image_embeddings VALUES (?, 1, ?, ?)", ((each, each, embedding) for each in ids)
        )


class Watched:
    """The most bytes that the files of a folder had at a time, looked at every 10 ms."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._end, self.most_bytes = folder, threading.Event(), 0
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Watched":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.01):
            with contextlib.suppress(FileNotFoundError):
                self.most_bytes = max(self.most_bytes, sum(path.stat().st_size for path in self._folder.iterdir()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("number", nargs="*", type=int, default=[10_000, 100_000, 1_000_000])
    for number in parser.parse_args().number:
        with tempfile.TemporaryDirectory() as folder:
            database = Path(folder, DATABASE_NAME)
            make_catalog(database, number)
            size_bytes = database.stat().st_size
            start = time.perf_counter()
            with Watched(database.parent) as watched:
                backup = upgrade(database)
            took_s = time.perf_counter() - start
            assert backup is not None
            sizes = f"copy {backup.stat().st_size / 1e6:,.0f} MB, catalog {database.stat().st_size / 1e6:,.0f} MB"
            print(
                f"{number:>9,} pictures: {took_s:6.1f} s, {sizes}, at most {watched.most_bytes / size_bytes:.1f} times"
            )


if __name__ == "__main__":
    main()
