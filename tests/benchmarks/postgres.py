"""A catalog in PostgreSQL beside one in SQLite: python -m tests.benchmarks.postgres [--pictures 20000] [--url URL]

Records of made pictures with CLIP-like embeddings of 512 numbers are stored in the batches of an index run, by one
writer and by two at once, each in a process of its own, and read back. Without --url a server of its own is started,
over a Unix socket on this machine.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from clipsearch.columns.table import Columns
from clipsearch.paths import CatalogPlace, catalog_place
from clipsearch.query import parse_query
from clipsearch.session.columns import read_segment
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.types import ImageMetadata
from clipsearch.vectors import normalise
from tests.benchmarks.measuring import note, print_table, seconds_of
from tests.support.postgres_server import PostgresServer

_BATCH = 64
_DIM = 512
_QUESTION = "path:*7.jpg type:jpeg size:>1MB"


def write(place: CatalogPlace, name: str, first: int, last: int) -> None:
    """So many pictures below a root of that name."""
    rng = np.random.default_rng(first)
    with Store(place) as store, store.writing(alone=False):
        model = store.models.find("ab" * 32)
        assert model is not None
        root_id = store.roots.add(f"/{name}").root_id
        for start in range(first, last, _BATCH):
            numbers = range(start, min(start + _BATCH, last))
            rows = normalise(rng.standard_normal((len(numbers), _DIM)))
            contents, files = [], []
            for number, row in zip(numbers, rows, strict=True):
                digest = number.to_bytes(32, "big")
                contents.append(
                    ContentRecord(
                        digest, 2_000_000, ImageMetadata(4000, 3000, "JPEG", None, "Some Camera", 1.5, 2.5), row
                    )
                )
                files.append(FileRecord(root_id, f"2024/05/IMG_{number:08}.jpg", 2_000_000, number, digest, None))
            store.pictures.record(contents, files, model_id=model.model_id)


def start(place: CatalogPlace, name: str, first: int, last: int) -> "subprocess.Popen[bytes]":
    where = place.server or str(place.directory)
    command = [sys.executable, "-m", "tests.benchmarks.postgres", "--write", where, name, str(first), str(last)]
    return subprocess.Popen(command)


def write_at_once(place: CatalogPlace, spans: dict[str, tuple[int, int]]) -> float:
    """Seconds from the first start to the last end, without what an empty writer takes to start."""

    def all_of(chosen: dict[str, tuple[int, int]]) -> None:
        writers = [start(place, name, *span) for name, span in chosen.items()]
        assert all(writer.wait() == 0 for writer in writers)

    idle = median(seconds_of(lambda: all_of(dict.fromkeys(spans, (0, 0)))) for _ in range(3))
    return seconds_of(lambda: all_of(spans)) - idle


def measure(place: CatalogPlace, pictures: int, *, writers: int) -> list[tuple[str, str]]:
    with Store(place, create=True) as store:
        model_id = store.models.add(name="made", fingerprint="ab" * 32, dim=_DIM).model_id
        share = pictures // writers
        spans = {f"photos{each}": (each * share + 1, (each + 1) * share + 1) for each in range(writers)}
        seconds = write_at_once(place, spans)
        stored = store.embeddings.count("images", model_id=model_id)
        results = [
            ("pictures stored a second", f"{stored / seconds:,.0f}"),
            ("of", f"{stored:,} of {share * writers:,}"),
            ("bytes a picture", f"{store.size_bytes / stored:,.0f}"),
        ]
        seconds = seconds_of(
            lambda: sum(len(rows.ids) for rows in store.reader.rows_after("images", model_id=model_id, dim=_DIM))
        )
        results.append(("embeddings read a second", f"{stored / seconds:,.0f}"))
        filters = parse_query(_QUESTION).filters
        segment, _ = read_segment(store)
        results.append(("columns made of them, a second", f"{stored / seconds_of(lambda: read_segment(store)):,.0f}"))
        columns = Columns([segment])
        ms = [1000 * seconds_of(lambda: columns.select(filters)) for _ in range(5)]
        found = len(columns.select(filters))
        results.append((f"{_QUESTION}: {found:,}", f"{median(ms):.0f} ms"))
        return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--url", help="an empty database; for one column only")
    parser.add_argument("--write", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.write is not None:
        where, name, first, last = chosen.write
        write(catalog_place(where), name, int(first), int(last))
        return
    columns: dict[str, list[tuple[str, str]]] = {}
    with tempfile.TemporaryDirectory(prefix="clipsearch-pg-") as folder:
        note("SQLite")
        columns["SQLite"] = measure(catalog_place(Path(folder) / "sqlite"), chosen.pictures, writers=1)
        if chosen.url is not None:
            columns["PostgreSQL"] = measure(catalog_place(chosen.url), chosen.pictures, writers=2)
        else:
            server = PostgresServer(Path(folder) / "server")
            try:
                for writers in (1, 2):
                    what = f"PostgreSQL, {writers} writer{'s' if writers > 1 else ''}"
                    note(what)
                    place = catalog_place(server.make_database())
                    columns[what] = measure(place, chosen.pictures, writers=writers)
            finally:
                server.stop()
    names = [name for name, _ in columns["SQLite"]]
    rows = [[name, *(column[number][1] for column in columns.values())] for number, name in enumerate(names)]
    print_table([f"{chosen.pictures:,} pictures, {_DIM} numbers", *columns], rows)


if __name__ == "__main__":
    main()
