"""Names against patterns: one rule on both sides, in every database, also in one that was upgraded or salvaged."""

import os
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from alembic import command
from sqlalchemy import create_engine

from clipsearch.columns.table import Columns
from clipsearch.paths import catalog_place
from clipsearch.query import parse_query
from clipsearch.session.columns import read_segment
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.backends.postgres import connect
from clipsearch.store.migrate import alembic_config
from clipsearch.store.recovery.salvage import salvage
from clipsearch.types import ImageMetadata

FOLDER = os.path.abspath(os.sep + "Bilder Ü")
NAMES = (
    "Straße.jpg",
    "STRASSE 2.jpg",
    "caf\u00e9.jpg",
    "2/cafe\u0301.jpg",
    "3/caf\udce9.jpg",
    "ﬁlm.jpg",
    "ＷＩＤＥ.jpg",
    "İstanbul.jpg",
    "ışık.jpg",
    "Ἀθῆναι.jpg",
    "が.jpg",
    "か.jpg",
    "हिन्दी.jpg",
    "100%_[a].jpg",
    "back\\slash.jpg",
    "why？.jpg",
)
CAMERAS = ("Canon EOS 5D", "Фотоаппарат Ё", "Caméra 1", "NIKON d80", None)

# What each pattern finds, by the place of the name, or of the camera in `CAMERAS`.
PATTERNS = {
    "path:strasse": {0, 1},
    "path:STRASSE": {0, 1},
    "path:Straße": {0, 1},
    "path:straße.jpg": {0},
    "path:stra*e*": {0, 1},
    "path:caf?.jpg": {2},
    "path:*caf?.jpg": {2, 3, 4},
    "path:café": {2, 3},
    "path:CAFE\u0301": {2, 3},
    "path:cafe": {2, 3},
    "path:caf\udce9": {4},
    "path:film": {5},
    "path:wide": {6},
    "path:ｗｉｄｅ": {6},
    "path:istanbul": {7},
    "path:ISTANBUL": {7},
    "path:ISIK": {8},
    "path:αθηναι": {9},
    "path:が": {10},
    "path:か\u3099": {10},
    "path:か": {11},
    "path:?.jpg": {10, 11},
    "path:हिन्दी": {12},
    "path:100%_[A]": {13},
    "path:[ab].jpg": set(),
    "path:100?_*": {13},
    "path:back\\slash": {14},
    "path:why？": {15},
    "path:*？.jpg": {15},
    "path:2/*": {3},
    "path:*ü/2/*": {3},
    "path:BILDER": set(range(len(NAMES))),
    "path:u\u0308/strasse": {0, 1},
    f'path:"{FOLDER.upper()}/cafe*"': {2},
    "-path:jpg": set(),
    'path:"\0"': set(),
    "camera:canon": {n for n in range(len(NAMES)) if n % 5 == 0},
    "camera:ФОТОАППАРАТ": {n for n in range(len(NAMES)) if n % 5 == 1},
    "camera:*е": {n for n in range(len(NAMES)) if n % 5 == 1},
    "camera:camera": {n for n in range(len(NAMES)) if n % 5 == 2},
    "camera:CAMÉRA": {n for n in range(len(NAMES)) if n % 5 == 2},
    'camera:"Nikon D8?"': {n for n in range(len(NAMES)) if n % 5 == 3},
    "-camera:camera": {n for n in range(len(NAMES)) if n % 5 != 2},
}


def fill(store: Store) -> None:
    model_id = store.models.add(name="m", fingerprint="0" * 64, dim=4).model_id
    root_id = store.roots.add(FOLDER).root_id
    row = np.eye(4, dtype=np.float32)[0]
    contents = [
        ContentRecord(bytes([n + 1]) * 32, 1, ImageMetadata(1, 1, "JPEG", None, CAMERAS[n % 5]), row)
        for n in range(len(NAMES))
    ]
    files = [FileRecord(root_id, name, 1, 1, bytes([n + 1]) * 32) for n, name in enumerate(NAMES)]
    store.pictures.record(contents, files, model_id=model_id)


def found(store: Store, text: str) -> set[int]:
    ids = Columns([read_segment(store)[0]]).select_ids(parse_query(text).filters).tolist()
    paths = store.reader.paths(ids)
    places = {os.path.join(FOLDER, name): place for place, name in enumerate(NAMES)}
    return {places[path] for content_id in ids for path in paths[content_id]}


def check_all(store: Store) -> None:
    assert {text: found(store, text) for text in PATTERNS} == PATTERNS


@pytest.fixture(scope="module")
def filled(make_store):
    store = make_store()
    fill(store)
    return store


@pytest.mark.parametrize("text", PATTERNS)
def test_patterns_find_names_by_one_rule(filled, text):
    assert found(filled, text) == PATTERNS[text]


def test_names_are_folded_where_a_folder_becomes_part_of_a_larger_one(make_store):
    store = make_store()
    fill(store)
    scope = store.roots.add(os.path.dirname(FOLDER))
    assert store.roots.list_all() == [scope]
    assert found(store, "path:*ü/strasse.jpg") == {0}
    assert found(store, "path:/bilder?u/caf?.jpg") == {2}


def test_names_of_an_older_catalog_are_folded_by_the_upgrade(make_store):
    store = make_store()
    fill(store)
    place = store.place
    store.close()
    if place.server is None:
        engine = create_engine(f"sqlite:///{place.directory / DATABASE_NAME}")
    else:
        engine = create_engine("postgresql+psycopg://", creator=lambda: connect(place, autocommit=False))
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0006")
    engine.dispose()
    with Store(place) as upgraded:
        check_all(upgraded)
    with Store(catalog_place(place.server or place.directory)) as again:
        assert again.backup is None


def test_names_of_a_damaged_catalog_are_folded_by_salvage(tmp_path):
    with Store(tmp_path, create=True) as store:
        fill(store)
    damaged, fresh = tmp_path / DATABASE_NAME, tmp_path / "fresh" / DATABASE_NAME
    with closing(sqlite3.connect(damaged)) as connection:
        connection.execute("UPDATE files SET folded_path = CAST(x'ff' AS TEXT) WHERE file_id > 3")
        connection.execute("UPDATE files SET folded_path = NULL WHERE file_id < 3")
        connection.execute("UPDATE roots SET folded_path = 'other'")
        connection.execute("UPDATE contents SET folded_camera = 'canon'")
        connection.commit()
    fresh.parent.mkdir()
    fresh.touch()
    salvage(damaged, fresh)
    with Store(fresh.parent) as store:
        check_all(store)
