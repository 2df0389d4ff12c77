"""Filters, held against the same question asked in plain Python of every picture."""

import math
import os
import random
from dataclasses import asdict
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from types import SimpleNamespace

import numpy as np
import pytest

from clipsearch.columns.table import Columns
from clipsearch.query import parse_query
from clipsearch.query.filters import BLURRED_BELOW, DARK_BELOW, MOST_FILTERS
from clipsearch.session.columns import read_segment
from clipsearch.store import ContentRecord, FileRecord
from clipsearch.types import ImageMetadata

DIM = 4
COUNT = 400
FOLDER = os.path.abspath(os.sep + "photos")


@pytest.fixture(scope="module")
def pictures() -> list[ContentRecord]:
    rng = random.Random(0)
    made = []
    for number in range(COUNT):
        place = (rng.uniform(-90, 90), rng.uniform(-180, 180)) if rng.random() < 0.5 else (None, None)
        if number % 40 == 0:
            place = (48.85 + number / 40_000, 2.35)
        made.append(
            ContentRecord(
                blake3=number.to_bytes(32, "big"),
                size_bytes=rng.choice([500, 1_000, 500_000, 2_000_000, 2_000_001, 9_000_000]),
                metadata=ImageMetadata(
                    width=rng.choice([100, 1000, 1920]),
                    height=rng.choice([100, 1000, 1080]),
                    format=rng.choice(
                        ["JPEG", "MPO", "PNG", "HEIF", "BMP", "JPEG2000", "GIF", "MP4", "Matroska", "PDF"]
                    ),
                    taken_at=rng.choice([None, datetime(2023, 12, 31, 23, 59, 59), datetime(2024, 1, 1)])
                    or (datetime(2024, 1, 1) + timedelta(hours=rng.randrange(20_000)) if rng.random() < 0.7 else None),
                    camera=rng.choice([None, "Canon EOS 5D", "NIKON D90", "100%_Camera", "Ünïcode Cam"]),
                    latitude=place[0],
                    longitude=place[1],
                    sharpness=None if number % 5 == 0 else number % 101,
                    brightness=None if number % 5 == 0 else 7 * number % 101,
                    duration_s=None if number % 3 == 0 else number / 4,
                ),
                embedding=np.eye(DIM, dtype=np.float32)[number % DIM],
            )
        )
    return made


NAMES = (
    "2024/beach/{}.jpg",
    "2024/Beach Party/{}.PNG",
    "o\u0308sterreich/{}.jpg",
    "a_b/100%{}.jpg",
    "caf\udce9/{}.jpg",
)


def name_of(number: int) -> str:
    return NAMES[number % len(NAMES)].format(number)


@pytest.fixture(scope="module")
def store(make_store, pictures):
    store = make_store()
    model_id = store.models.add(name="m", fingerprint="0" * 64, dim=DIM).model_id
    root_id = store.roots.add(FOLDER).root_id
    files = [
        FileRecord(root_id, name_of(number), picture.size_bytes, 0, picture.blake3, None)
        for number, picture in enumerate(pictures)
    ]
    # The first picture is known by another name as well.
    files.append(FileRecord(root_id, "copies/backup.jpg", 1, 0, pictures[0].blake3, None))
    store.pictures.record(pictures, files, model_id=model_id)
    return store


@pytest.fixture(scope="module")
def columns(store):
    return Columns([read_segment(store)[0]])


def distance_km(one, other) -> float:
    """By the law of cosines, on a sphere."""
    (a, b), (c, d) = [map(math.radians, place) for place in (one, other)]
    return 6371.0088 * math.acos(min(1, math.sin(a) * math.sin(c) + math.cos(a) * math.cos(c) * math.cos(b - d)))


CASES = {
    "taken:2024": lambda p, _: p.taken_at and p.taken_at.year == 2024,
    "-taken:2024": lambda p, _: not (p.taken_at and p.taken_at.year == 2024),
    "taken:2023-12-31": lambda p, _: p.taken_at and p.taken_at.date().isoformat() == "2023-12-31",
    "taken:2024-05..2025-02": lambda p, _: p.taken_at and datetime(2024, 5, 1) <= p.taken_at < datetime(2025, 3, 1),
    "taken:..2023": lambda p, _: p.taken_at and p.taken_at < datetime(2024, 1, 1),
    "near:48.85,2.35,600m": lambda p, _: (
        p.latitude is not None and distance_km((p.latitude, p.longitude), (48.85, 2.35)) <= 0.6
    ),
    "near:0,179,3000km": lambda p, _: (
        p.latitude is not None and distance_km((p.latitude, p.longitude), (0, 179)) <= 3000
    ),
    "near:89,0,2500km": lambda p, _: p.latitude is not None and distance_km((p.latitude, p.longitude), (89, 0)) <= 2500,
    "-near:0,0,5000km": lambda p, _: p.latitude is None or distance_km((p.latitude, p.longitude), (0, 0)) > 5000,
    "camera:canon": lambda p, _: p.camera == "Canon EOS 5D",
    "-camera:canon": lambda p, _: p.camera != "Canon EOS 5D",
    "camera:nikon*": lambda p, _: p.camera == "NIKON D90",
    "camera:d90*": lambda p, _: False,
    "camera:100%_": lambda p, _: p.camera == "100%_Camera",
    "camera:ÜNÏ": lambda p, _: p.camera == "Ünïcode Cam",
    "type:jpeg": lambda p, _: p.format in ("JPEG", "MPO"),
    "type:heic": lambda p, _: p.format == "HEIF",
    "type:jp2": lambda p, _: p.format == "JPEG2000",
    "-type:png": lambda p, _: p.format != "PNG",
    "type:film": lambda p, _: p.format in ("MP4", "Matroska"),
    "type:webm": lambda p, _: p.format == "Matroska",
    "type:mov": lambda p, _: p.format == "MP4",
    "type:document": lambda p, _: p.format == "PDF",
    "type:animation": lambda p, _: p.duration_s is not None and p.format not in ("MP4", "Matroska"),
    "length:>60": lambda p, _: p.duration_s is not None and p.duration_s > 60,
    "length:0.5..1min": lambda p, _: p.duration_s is not None and 0.5 <= p.duration_s <= 60,
    "-length:<80s type:film": lambda p, _: (
        (p.duration_s is None or p.duration_s >= 80) and p.format in ("MP4", "Matroska")
    ),
    "size:>2MB": lambda p, _: p.size_bytes > 2_000_000,
    "size:500..1k": lambda p, _: 500 <= p.size_bytes <= 1000,
    "w:>=1000 h:<1080": lambda p, _: p.width >= 1000 and p.height < 1080,
    "orientation:landscape": lambda p, _: p.width > p.height,
    "-orientation:square": lambda p, _: p.width != p.height,
    "sharp:>40": lambda p, _: p.sharpness is not None and p.sharpness > 40,
    "sharp:20..40": lambda p, _: p.sharpness is not None and 20 <= p.sharpness <= 40,
    "-sharp:<20": lambda p, _: p.sharpness is None or p.sharpness >= 20,
    "bright:<15": lambda p, _: p.brightness is not None and p.brightness < 15,
    "is:blurred": lambda p, _: p.sharpness is not None and p.sharpness < BLURRED_BELOW,
    "is:sharp -is:dark": lambda p, _: (
        p.sharpness is not None and p.sharpness >= BLURRED_BELOW and p.brightness >= DARK_BELOW
    ),
    "has:gps": lambda p, _: p.latitude is not None,
    "has:date -has:camera": lambda p, _: p.taken_at is not None and p.camera is None,
    "path:BEACH": lambda _, names: any("beach" in name.lower() for name in names),
    "path:photos": lambda *_: True,
    "path:2024/*.png": lambda _, names: any(fnmatchcase(name.lower(), "2024/*.png") for name in names),
    f"path:{FOLDER}/2024/*": lambda _, names: any(name.startswith("2024") for name in names),
    "path:beach*": lambda *_: False,
    "path:a_b/100%": lambda _, names: any(name.startswith("a_b/100%") for name in names),
    "path:ÖSTERREICH": lambda _, names: any("sterreich" in name for name in names),
    "path:caf\udce9": lambda _, names: any("caf" in name for name in names),
    "path:backup": lambda _, names: "copies/backup.jpg" in names,
    "-path:backup": lambda _, names: any("backup" not in name for name in names),
    "path:beach -path:backup taken:2024 w:>100": lambda p, names: (
        any("beach" in name.lower() for name in names) and p.taken_at and p.taken_at.year == 2024 and p.width > 100
    ),
}


@pytest.mark.parametrize("text", CASES)
def test_filters_select_what_plain_python_does(text, columns, pictures):
    names = {number: [name_of(number)] + (["copies/backup.jpg"] if number == 0 else []) for number in range(COUNT)}
    known = [SimpleNamespace(size_bytes=each.size_bytes, **asdict(each.metadata)) for each in pictures]
    expected = {number for number, picture in enumerate(known) if CASES[text](picture, names[number])}
    numbers = {content_id: number for number, content_id in enumerate(range(1, COUNT + 1))}
    found = columns.select_ids(parse_query(text).filters)
    assert found.dtype == np.int64
    assert {numbers[content_id] for content_id in found.tolist()} == expected
    assert len(found) == len(expected)
    assert bool(expected) != (text in ("camera:d90*", "path:beach*")), "a case that says something"


def test_paths_that_pass_come_first(store):
    named = [os.path.join(FOLDER, "2024/beach/0.jpg"), os.path.join(FOLDER, "copies/backup.jpg")]
    assert store.reader.paths([1]) == {1: named}
    assert store.reader.paths([1], filters=parse_query("path:backup").filters) == {1: named[::-1]}
    assert store.reader.paths([1], filters=parse_query("-path:beach w:>1").filters) == {1: named[::-1]}


def test_numbers_beyond_64_bits_are_beyond_all_that_is_stored(store, columns):
    for text, count in {
        "size:>99999999999GB": 0,
        "size:9223372036854775808": 0,
        "size:<=99999999999GB": COUNT,
        "-w:99999999999999999999999": COUNT,
        "size:0..99999999999999999999999999999 h:>0": COUNT,
    }.items():
        assert columns.count(parse_query(text).filters) == count, text
    huge = [-(10**30), -1, 0, 1 << 63, 10**30]
    assert store.reader.paths([1, *huge]).keys() == {1}
    assert store.reader.details([1, *huge]).keys() == {1}
    assert store.reader.measures([1, *huge]).keys() == {1}
    assert store.reader.embeddings([1, *huge], model_id=1, dim=DIM).keys() == {1}
    assert all(store.reader.find_embedding(number, model_id=1, dim=DIM) is None for number in huge)


def test_as_many_filters_as_a_query_has_are_answered(columns):
    for text in (
        "w:>=1",
        "path:o*o*o*o*o*o*x",
        "path:*g",
        "-path:nowhere",
        "camera:*anon*",
        "near:0,0,30000km",
        "taken:>0001",
        "size:>1",
    ):
        filters = parse_query(f"{text} " * MOST_FILTERS).filters
        assert len(filters) == MOST_FILTERS
        assert columns.select_ids(filters).tolist() == columns.select_ids(filters[:1]).tolist()
