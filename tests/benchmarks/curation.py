"""Unusual and representative pictures among many: python -m tests.benchmarks.curation [--rows 100000]

Rows like those of CLIP, and among them some that point anywhere. Two passes are compared with all pairs (`--rows` up to
20,000: they take as long as the square of it), and the time of both commands is given. Representatives are compared
with as many random pictures by the mean cosine of all pictures to the nearest of them.
"""

import argparse
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from time import process_time

import numpy as np

from clipsearch import Catalog
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.vectors import normalise
from tests.benchmarks.clip_like import GOLDEN, ClipLike, Rows
from tests.benchmarks.measuring import note, workplace
from tests.benchmarks.scale import fill

_ODD = 20
_MOST_PAIRS = 20_000
_NEIGHBOURS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--golden", type=Path, default=GOLDEN)
    options = parser.parse_args()
    made = ClipLike(options.golden)
    with workplace(options.folder) as place:
        random = np.random.default_rng(1)
        usual = np.concatenate(list(made.make_pictures(options.rows - _ODD)))
        # As far from the mean as pictures are, in directions that none has.
        odd = usual.mean(axis=0) + 0.7 * normalise(random.standard_normal((_ODD, usual.shape[1])))
        rows = np.concatenate([usual, normalise(odd)])
        directory = place / f"curation-{options.rows}"
        if not directory.exists():
            note(f"a catalog of {options.rows:,} rows")
            fill(directory, [rows], dim=rows.shape[1])
            _add_files(directory, len(rows))
        with Catalog.open(directory) as catalog:
            start = process_time()
            unusual = catalog.pictures.unusual(top_k=_ODD)
            middle = process_time()
            chosen = catalog.pictures.representative(top_k=20)
            end = process_time()
        found = {each.content_id for each in unusual}
        seconds = f"unusual {middle - start:.1f} s, representative {end - middle:.1f} s"
        print(f"{len(rows):,} pictures, processor time: {seconds}")
        print(f"odd ones among the {_ODD} most unusual: {len(found & set(range(len(usual) + 1, len(rows) + 1)))}")
        if len(rows) <= _MOST_PAIRS:
            print(f"the same as by all pairs: {len(found & _by_all_pairs(rows))} of {_ODD}")
        for name, places in (
            ("representative", [each.content_id - 1 for each in chosen]),
            ("random", random.choice(len(rows), len(chosen), replace=False)),
        ):
            nearest = (rows @ rows[places].T).max(axis=1)
            print(f"mean cosine to the nearest of {len(chosen)} {name} ones: {nearest.mean():.4f}")


def _by_all_pairs(rows: Rows) -> set[int]:
    similarities = []
    for first in range(0, len(rows), 1_000):
        scores = rows[first : first + 1_000] @ rows.T
        scores[np.arange(len(scores)), first + np.arange(len(scores))] = -np.inf
        similarities.append(np.sort(np.partition(-scores, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS], axis=1).mean(axis=1))
    return set((np.argsort(-np.concatenate(similarities), kind="stable")[:_ODD] + 1).tolist())


def _add_files(directory: Path, count: int) -> None:
    """A content and a file for each embedding."""
    with closing(sqlite3.connect(directory / DATABASE_NAME)) as connection, connection:
        connection.execute(
            "INSERT INTO roots (root_id, path, added_at) VALUES (1, ?, '2026-01-01')", (os.fsencode("/p"),)
        )
        connection.executemany(
            "INSERT INTO contents (content_id, blake3, size_bytes, width, height, format, added_at) "
            "VALUES (?, ?, 1, 1, 1, 'JPEG', '2026-01-01')",
            ((number, number.to_bytes(32, "big")) for number in range(1, count + 1)),
        )
        connection.executemany(
            "INSERT INTO files (file_id, root_id, relative_path, size_bytes, mtime_ns, content_id) "
            "VALUES (?, 1, ?, 1, 1, ?)",
            ((number, b"%d.jpg" % number, number) for number in range(1, count + 1)),
        )


if __name__ == "__main__":
    main()
