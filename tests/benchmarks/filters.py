"""Filters, facets and counts from columns, beside SQL: python -m tests.benchmarks.filters [--count 1000000]

A catalog with names like those of cameras, 1 of 50 pictures in two files, and no embeddings. Each time is the least of
several runs, in milliseconds of CPU, as other work on the machine does not count then. SQL is that of
`tests/support/filter_sql.py`, over the same database; --no-sql leaves it out, --rows the database too: for many
millions of pictures. --described writes keywords, people, titles and ratings about a share of the pictures, and asks
for these too. --random compares as many random filters of a catalog with odd names with SQL, and stops at the first
difference.
"""

import argparse
import math
import random
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from clipsearch.columns.file import ColumnFileName, load_segment, save_segment
from clipsearch.columns.orders import Order
from clipsearch.columns.segment import Rows, Segment, make_segment
from clipsearch.columns.table import Columns
from clipsearch.description import Description, pack
from clipsearch.paths import index_folder
from clipsearch.query import parse_query
from clipsearch.query.globs import folded
from clipsearch.session.columns import CatalogColumns, read_segment
from clipsearch.store import Store
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.text import stored_fold
from tests.benchmarks.measuring import note, print_table, workplace
from tests.support.filter_sql import FilterSql
from tests.support.odd_catalogs import fill, random_filters

FILTERS = (
    "taken:2010-01-05",
    "taken:2010",
    "taken:--07-04",
    "-taken:2010",
    "camera:canon",
    "camera:maker",
    "-camera:nikon",
    "type:jpeg",
    "size:>2MB",
    "w:>=1920",
    "orientation:portrait",
    "is:blurred",
    "has:gps",
    "near:48.85,2.35,1km",
    "near:48.85,2.35,3000km",
    "path:beach",
    "path:café",
    "path:img_",
    "path:img_2010",
    "path:archive/20",
    "-path:copies",
    "path:*42.jpg",
    "path:*/*42.jpg",
    "path:2010/*.jpg",
    "path:*beach*img_2010*",
    "path:*img*2010*.jpg",
    "camera:canon taken:2010 path:beach w:>1000 -is:dark near:48.85,2.35,5km",
)
WRITTEN_FILTERS = (
    "tag:word1",
    "tag:word4321",
    "tag:word12*",
    "-tag:word1",
    "person:anna",
    "title:holiday",
    "creator:petra",
    "rating:>=4",
    "has:tags",
    "place:paris",
    "country:fr",
    "has:place",
)
_CAMERAS = (None, "Canon EOS R6", "NIKON Z 6", "Apple iPhone 15", "Google Pixel 8", *(f"Maker {n}" for n in range(60)))
_WORDS = ("beach", "Holiday", "work", "café", "birthday", "2024", "Österreich", "cats", "archive")
_COLUMNS = (
    "size_bytes, width, height, format, taken_at, camera, latitude, longitude, added_at, sharpness, brightness, "
    "is_date_doubtful, described"
)
# Of every content by its number, or of one in `step`: in folders of a thousand.
_FILES = """
INSERT INTO files (root_id, relative_path, size_bytes, mtime_ns, content_id, folded_path)
WITH RECURSIVE numbers (n) AS (SELECT :step UNION ALL SELECT n + :step FROM numbers WHERE n + :step <= :count),
named AS (
    SELECT n, word, folded, printf('%s%d/', :folder, 2000 + n / 1000 % 26) AS year,
        printf(' %d/img_%d%02d%02d_%06d.jpg', n / 1000, 2000 + n % 26, 1 + n % 12, 1 + n % 28, n % 1000000) AS name
    FROM numbers JOIN words ON number = n / 1000 % (SELECT count(*) FROM words)
)
SELECT :root, CAST(year || word || name AS BLOB), 1, 0, n, year || folded || name FROM named
"""
# Beyond, contents have what earlier ones have; names are always different.
_DIFFERENT = 1_000_000
_TIMES = 5
_ODD_PICTURES = 4_000


def cpu_ms(work: Callable[[], object], times: int = _TIMES) -> float:
    """The least CPU time of several runs."""
    found = []
    for _ in range(times):
        start = process_time()
        work()
        found.append(1000 * (process_time() - start))
    return min(found)


def make_catalog(directory: Path, count: int, described: float) -> None:
    """Past the store's own methods, which would need embeddings."""
    with Store(directory, create=True) as store:
        root_id = store.roots.add("/photos/Family Archive").root_id
    rng = random.Random(0)
    with closing(sqlite3.connect(directory / DATABASE_NAME, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -500000")
        for ids in _chunks(range(1, min(count, _DIFFERENT) + 1)):
            connection.execute("BEGIN")
            connection.executemany(
                f"INSERT INTO contents (content_id, blake3, {_COLUMNS}) VALUES (?,?{',?' * _COLUMNS.count(',')},?)",
                (_content(number, rng, described) for number in ids),
            )
            connection.execute("COMMIT")
        for first in range(_DIFFERENT, count, _DIFFERENT):
            connection.execute(
                f"INSERT INTO contents (content_id, blake3, {_COLUMNS}) SELECT content_id + ?1, "
                f"CAST(printf('%032d', content_id + ?1) AS BLOB), {_COLUMNS} FROM contents WHERE content_id <= ?2",
                (first, min(_DIFFERENT, count - first)),
            )
        connection.execute("CREATE TEMP TABLE words (number INTEGER PRIMARY KEY, word TEXT, folded TEXT)")
        connection.executemany(
            "INSERT INTO words VALUES (?, ?, ?)", ((at, word, stored_fold(word)) for at, word in enumerate(_WORDS))
        )
        for folder, step in (("", 1), ("copies/", 50)):
            connection.execute(_FILES, {"root": root_id, "folder": folder, "step": step, "count": count})
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _chunks(numbers: range) -> Iterator[range]:
    for first in range(0, len(numbers), 20_000):
        yield numbers[first : first + 20_000]


def _content(number: int, rng: random.Random, described: float) -> tuple[object, ...]:
    place = (48.85 + rng.gauss(0, 0.02), 2.35 + rng.gauss(0, 0.02))
    if rng.random() < 0.5:
        place = (rng.uniform(-80, 80), rng.uniform(-180, 180))
    taken = str(datetime(2000, 1, 1) + timedelta(seconds=rng.randrange(800_000_000))) + ".000000"
    has_place, has_date = rng.random() < 0.6, rng.random() < 0.95
    return (
        *(number, rng.randbytes(32), rng.randrange(10**4, 2 * 10**7)),
        *(rng.choice([640, 1920, 4000, 3000]), rng.choice([480, 1080, 3000, 4000])),
        *(
            rng.choice(["JPEG", "JPEG", "JPEG", "PNG", "HEIF", "MPO"]),
            taken if has_date else None,
            rng.choice(_CAMERAS),
        ),
        *(place if has_place else (None, None)),
        *("2026-01-01 00:00:00.000000", None if rng.random() < 0.1 else rng.randrange(101), rng.randrange(101)),
        rng.random() < 0.02,
        pack(_description(rng)) if described and rng.random() < described else None,
    )


def _description(rng: random.Random) -> Description:
    """Some of 5,000 keywords, of which few are frequent, some of 200 people, and others."""
    return Description(
        title=f"{rng.choice(_WORDS)} {rng.randrange(1000)}" if rng.random() < 0.5 else None,
        keywords=tuple({f"word{int(5_000 ** rng.random())}": None for _ in range(rng.randrange(1, 8))}),
        people=(f"{rng.choice(('Anna', 'Ben', 'Chloé', *('Kim',) * 6))} {rng.randrange(67)}",)
        if rng.random() < 0.3
        else (),
        rating=rng.choice((None, None, 3, 4, 5)),
        creator=rng.choice(("Petra Klein", "Jean Dupont", None)),
    )


def rows_without_sql(count: int, described: float) -> Rows:
    """The rows of such a catalog: what contents have is repeated, names are not."""
    rng, rows, different = random.Random(0), Rows(), min(count, 20_000)
    for number in range(1, different + 1):
        contents = _content(number, rng, described)
        taken = contents[6] and str(contents[6]).encode()
        values = (*contents[:1], *contents[2:6], taken, *contents[13:14], *contents[7:10], *contents[11:13], None)
        rows.add_contents([(*values, contents[14])], {})
    for arrays in (*rows.numbers.values(), rows.camera.codes, rows.format.codes):
        arrays[:] = [np.resize(np.concatenate(arrays), count)]
    numbers = np.arange(1, count + 1)
    rows.numbers["ids"] = [numbers]
    events = [f"{2000 + event % 26}/{_WORDS[event % len(_WORDS)]} {event}" for event in range(count // 1000 + 1)]
    for folder, files in (("", numbers), ("copies/", numbers[49::50])):
        rows.folder.append(len(rows.folders) + files // 1000)
        rows.folders |= {(1, folded(folder + event)): len(rows.folders) + number for number, event in enumerate(events)}
        rows.file_ids.append(files)
        rows.names += [
            b"img_%d%02d%02d_%06d.jpg" % (2000 + n % 26, 1 + n % 12, 1 + n % 28, n % 1_000_000) for n in files.tolist()
        ]
    return rows


def compare_random(folder: Path, count: int) -> None:
    """Stops with an AssertionError at the first difference."""
    with Store(folder / "odd", create=True) as store:
        rng = random.Random(4)
        fill(store, _ODD_PICTURES, rng)
        columns, sql, hits = Columns([read_segment(store)[0]]), FilterSql(store), 0
        for _ in range(count):
            filters = random_filters(rng)
            found = columns.select_ids(filters).tolist()
            assert found == sql.select(filters), [str(each) for each in filters]
            hits += bool(found)
    print(f"{count:,} random filters select what SQL does; {hits:,} of them select something")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--random", type=int, default=0, help="compare this number of random filters with SQL instead")
    parser.add_argument("--no-sql", action="store_true")
    parser.add_argument("--rows", action="store_true", help="rows in memory, without a database")
    parser.add_argument(
        "--described", type=float, default=0.0, help="share of the pictures that something is written about"
    )
    parser.add_argument("--folder", type=Path, help="keep what is made here; default: a temporary folder")
    options = parser.parse_args()
    with workplace(options.folder) as folder:
        if options.random:
            compare_random(folder, options.random)
        elif options.rows:
            measure_rows(options.count, options.described, folder)
        else:
            place = folder / f"filters-{options.count}-{options.described:g}"
            if not place.is_dir():
                note(f"making a catalog of {options.count:,}")
                make_catalog(place, options.count, options.described)
            with Store(place) as store:
                measure(store, with_sql=not options.no_sql, is_described=options.described > 0)


def measure(store: Store, *, with_sql: bool, is_described: bool) -> None:
    folder = index_folder(store.place.directory)
    made = cost_of(lambda: read_segment(store))
    CatalogColumns(store, folder).get()
    columns = CatalogColumns(store, folder)
    print_costs("columns made from SQL", made, folder, lambda: CatalogColumns(store, folder).get())
    print_times(columns.get, FilterSql(store) if with_sql else None, is_described=is_described)


def measure_rows(count: int, described: float, folder: Path) -> None:
    """Of rows in memory, without a database."""
    note(f"making rows of {count:,}")
    rows, name = rows_without_sql(count, described), ColumnFileName("", count, 1)
    made: list[Segment] = []
    cost = cost_of(lambda: made.append(make_segment(rows, {1: b"/photos/family archive"})))
    note("writing the file")
    checksum = save_segment(made.pop(), folder, name)
    mapped = Columns([load_segment(folder, checksum, name)])
    print_costs("columns made of rows", cost, folder, lambda: Columns([load_segment(folder, checksum, name)]))
    print_times(lambda: mapped, None, is_described=described > 0)


def cost_of(work: Callable[[], object]) -> str:
    start, cpu = perf_counter(), process_time()
    work()
    return (
        f"{perf_counter() - start:.1f} s, {process_time() - cpu:.1f} s of CPU, "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB"
    )


def print_costs(name: str, made: str, folder: Path, opened: Callable[[], Columns]) -> None:
    columns, first = opened(), parse_query("taken:2010").filters
    size = sum(path.stat().st_size for path in folder.glob("columns-*.bin"))
    rows = [
        (f"{name}, and the most memory", made),
        ("their file", f"{size / 1e6:,.0f} MB"),
        ("file opened, and pictures of a year counted", f"{cpu_ms(lambda: opened().count(first)):.1f} ms"),
        ("all facets, of all pictures", f"{cpu_ms(columns.facets):.1f} ms"),
        ("all events, of all pictures", f"{cpu_ms(columns.events):.1f} ms"),
    ]
    print_table((f"{len(columns):,} pictures", ""), rows)


def print_times(get: Callable[[], Columns], sql: FilterSql | None, *, is_described: bool) -> None:
    table = []
    for text in (*FILTERS, *(WRITTEN_FILTERS if is_described else ())):
        filters = parse_query(text).filters
        found = get().select_ids(filters)
        times = [
            cpu_ms(work)
            for work in (
                lambda filters=filters: get().select(filters),
                lambda filters=filters: get().facets(filters),
                lambda filters=filters: get().first(filters, 50, Order()),
                lambda filters=filters: get().first(filters, 50, Order("added")),
                lambda filters=filters: get().first(filters, 50, Order("name")),
            )
        ]
        if sql is not None and text in WRITTEN_FILTERS:
            times.append(math.nan)
        elif sql is not None:
            assert found.tolist() == sql.select(filters), text
            times.append(cpu_ms(lambda filters=filters: sql.select(filters), 1))
        table.append((text, f"{len(found):,}", *(f"{each:.1f}" for each in times)))
    names = ("filter", "number", "select, ms", "facets, ms", "newest 50, ms", "last added 50, ms", "50 by name, ms")
    print_table((*names, "select by SQL, ms") if sql is not None else names, table)


if __name__ == "__main__":
    main()
