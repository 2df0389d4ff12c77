"""Catalogs with odd names and missing values, and random filters of them; the same seed gives the same."""

import os
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from clipsearch.query import parse_query
from clipsearch.query.filters import Filter, Pattern
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.types import ImageMetadata

ROOTS = tuple(os.path.abspath(os.sep + name) for name in ("photos", "Größe/Archiv", "a%b_c", ""))
"""The last one is the root of the file system."""

CAMERAS = (None, "Canon EOS 5D", "NIKON D90", "100%_Camera", "Ünïcode Cam", "ФОТОАППАРАТ", "x" * 120, "a*b?", "canon")
FORMATS = ("JPEG", "MPO", "PNG", "HEIF", "BMP", "DIB", "JPEG2000", "WEBP", "GIF", "MP4", "Matroska", "")
WORDS = (
    *("2024", "beach", "Beach Party", "o\u0308sterreich", "ÖSTERREICH", "a_b", "100%", "caf\udce9", "Straße", "写真"),
    *("ﬁsh", "IMG", "img_", "dsc", "a", "b", ".", "..x", " ", "-", "'", '"', "\\", "[x]", "(1)", "x\ny", "é"),
    *("e\u0301", "İstanbul"),
)  # fmt: skip
SUFFIXES = (".jpg", ".JPG", ".jpeg", ".png", "", ".tar.gz")
_BASE = datetime(2000, 1, 1)


def record_of(number: int, rng: random.Random) -> ContentRecord:
    place = (None, None)
    if rng.random() < 0.6:
        place = (round(48.85 + rng.gauss(0, 0.3), 4), round(2.35 + rng.gauss(0, 0.3), 4))
        if rng.random() < 0.3:
            place = (rng.uniform(-90, 90), rng.uniform(-180, 180))
        if rng.random() < 0.1:
            place = rng.choice([(90.0, 0.0), (-90.0, 10.0), (0.0, 180.0), (0.0, -180.0), (48.85, 2.35)])
    taken = _BASE + timedelta(seconds=rng.randrange(800_000_000), microseconds=rng.choice([0, 1, 999_999]))
    if rng.random() < 0.3:  # limits of days
        taken = datetime(rng.choice([2001, 2010, 2024]), rng.choice([1, 12]), 1)
    return ContentRecord(
        number.to_bytes(32, "big"),
        rng.choice([0, 500, 1_000, 500_000, 2_000_000, 2_000_001, 9_000_000, 1 << 40]),
        ImageMetadata(
            width=rng.choice([1, 100, 1000, 1920]),
            height=rng.choice([1, 100, 1000, 1080]),
            format=rng.choice(FORMATS),
            taken_at=rng.choice([None, taken, taken, taken, datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)]),
            camera=rng.choice(CAMERAS),
            latitude=place[0],
            longitude=place[1],
            is_date_doubtful=rng.random() < 0.2,
            sharpness=rng.choice([None, rng.randrange(101)]),
            brightness=rng.choice([None, 0, 100, rng.randrange(101)]),
            duration_s=rng.choice([None, None, 0.0, 0.29, 59.9995, 60.0, 60.001, 7_200.0, rng.uniform(0, 100)]),
        ),
        np.ones(1, dtype=np.float32),
    )


def name_of(rng: random.Random) -> str:
    """A relative path, in up to three folders."""
    folders = ["".join(rng.choices(WORDS, k=rng.randint(1, 2))) for _ in range(rng.choice([0, 0, 1, 1, 2, 3]))]
    name = "".join(rng.choices(WORDS, k=rng.randint(1, 3))) + str(rng.randrange(1000)) + rng.choice(SUFFIXES)
    parts = [part for part in (*folders, name) if part not in (".", "..")]
    return "/".join(parts)


def fill(store: Store, count: int, rng: random.Random) -> int:
    """Store `count` contents with no, one or several files each, some of them removed; return the model's id."""
    model_id = store.models.add(name="m", fingerprint="0" * 64, dim=1).model_id
    roots = [store.roots.add(root).root_id for root in ROOTS[:3]]
    numbers = range(1, count + 1)
    records = [record_of(number, rng) for number in numbers]
    files = {}
    for number in numbers:
        for _ in range(rng.choice([0, 1, 1, 1, 1, 2, 3])):
            place = (rng.choice(roots), name_of(rng))
            files[place] = FileRecord(*place, 1, 0, number.to_bytes(32, "big"), None)
    store.pictures.record(records, list(files.values()), model_id=model_id)
    ids = [file_id for rows in store.column_rows.files() for file_id, *_ in rows]
    store.pictures.remove_files(rng.sample(ids, len(ids) // 10))
    return model_id


def random_filters(rng: random.Random) -> Sequence[Filter]:
    """Up to four filters, as parsed."""
    filters: list[Filter] = []
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 4])):
        if rng.random() < 0.5:
            filters.append(Filter("path", Pattern(_pattern(rng)), rng.random() < 0.25))
        elif rng.random() < 0.2:
            filters.append(Filter("camera", Pattern(_pattern(rng)), rng.random() < 0.25))
        else:
            filters += parse_query(("-" if rng.random() < 0.25 else "") + _written(rng)).filters
    return filters


def _pattern(rng: random.Random) -> str:
    parts = [rng.choice([*WORDS, *SUFFIXES[:2], "/", "photos", "*", "*", "?", "??", "g", "1", "canon", "_"])
             for _ in range(rng.randint(1, 5))]  # fmt: skip
    if rng.random() < 0.2:
        parts = [rng.choice(ROOTS).upper(), "/", *parts]
    return "".join(parts)


def _written(rng: random.Random) -> str:
    year, low = rng.randint(1999, 2026), rng.randint(0, 100)
    place = f"{rng.choice([48.85, 0, 90, -90, 12.5])},{rng.choice([2.35, 180, -180, 0])}"
    return rng.choice(
        [
            f"taken:{year}", f"taken:{year}-0{rng.randint(1, 9)}", f"taken:..{year}", f"taken:>{year}",
            "taken:2024-12-01", f"taken:--{rng.randint(1, 12):02}", "taken:--12-31", "taken:--01-01", "taken:--02-29",
            f"taken:{year}..{year + rng.randint(0, 5)}", "taken:0001", "taken:9999-12-30",
            f"near:{place},{rng.choice(['1m', '600m', '5km', '40km', '3000km', '10007.543km', '30000km'])}",
            f"type:{rng.choice(['jpeg', 'png', 'heic', 'bmp', 'jp2', 'webp'])}",
            f"type:{rng.choice(['film', 'animation', 'mkv', 'mov', 'pdf'])}",
            f"length:{rng.choice(['>60', '<=60', '0.29', '..2min', '1h..', '59s..61', '>=59.9995', '<1'])}",
            f"size:{rng.choice(['>2MB', '500..1k', '2000001', '0', '<=99999999999GB', '>1TB'])}",
            f"w:>={rng.choice([1, 100, 1001])}", f"h:{rng.choice(['1080', '..100', '>1080'])}",
            f"sharp:{low}..{min(100, low + rng.randint(0, 40))}", f"bright:<={low}",
            "is:blurred", "is:sharp", "is:dark",
            f"orientation:{rng.choice(['portrait', 'landscape', 'square'])}",
            f"has:{rng.choice(['gps', 'date', 'camera'])}",
        ]
    )  # fmt: skip
