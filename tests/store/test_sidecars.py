"""Sidecars in SQL: recorded, changed, gone, and what contents borrow from them."""

from datetime import datetime

import numpy as np
import pytest

from clipsearch.description import NOTHING, Description
from clipsearch.store import ContentRecord, FileRecord
from clipsearch.store.sidecars import KnownSidecar, SidecarRecord
from clipsearch.types import ImageMetadata
from tests.support.stores import make_store, store

__all__ = ["make_store", "store"]

OWN = datetime(2001, 2, 3, 4, 5, 6)
XMP = Description(rating=4, keywords=("sea",), taken_at=datetime(2018, 1, 2), latitude=1.5, longitude=-2.5)
TAKEOUT = Description(caption="words", taken_at=datetime(2019, 7, 4), latitude=48.85, longitude=2.35)


@pytest.fixture
def scope(store):
    """Two contents, the first with a date of its own; the second in two files."""
    scope = store.roots.add("/photos")
    model_id = store.models.add(name="m", fingerprint="ab" * 32, dim=4).model_id
    dates = {1: OWN, 2: None}
    contents = [
        ContentRecord(
            number.to_bytes(32, "big"),
            10,
            ImageMetadata(4, 3, "JPEG", taken_at, description=Description(title=f"own {number}", keywords=("own",))),
            np.eye(4, dtype=np.float32)[number],
        )
        for number, taken_at in dates.items()
    ]
    files = [
        FileRecord(scope.root_id, name, 10, 0, number.to_bytes(32, "big"))
        for name, number in (("a.jpg", 1), ("b.jpg", 2), ("c/b.jpg", 2))
    ]
    store.pictures.record(contents, files, model_id=model_id)
    return scope


def record(store, scope, path, kind, description, *, size=5):
    ids = store.sidecars.file_ids(scope, [path])
    store.sidecars.record([SidecarRecord(ids[path], kind, path + b".x", size, 7, description)])
    return ids[path]


def described(store, content_id):
    return store.reader.details([content_id])[content_id].metadata


def test_what_is_recorded_is_known_and_replaced(store, scope):
    file_id = record(store, scope, b"a.jpg", "xmp", XMP)
    assert store.sidecars.known(scope) == {(b"a.jpg", "xmp"): KnownSidecar(b"a.jpg.x", 5, 7, file_id)}
    record(store, scope, b"a.jpg", "xmp", Description(rating=1), size=6)
    assert store.sidecars.known(scope)[b"a.jpg", "xmp"].size_bytes == 6
    assert described(store, 1).description == Description(title="own 1", keywords=("own",), rating=1)
    assert store.sidecars.file_ids(scope, [b"a.jpg", b"nowhere"]) == {b"a.jpg": file_id}


def test_all_sources_are_joined_in_their_order(store, scope):
    record(store, scope, b"b.jpg", "takeout", TAKEOUT)
    record(store, scope, b"c/b.jpg", "xmp", XMP)
    found = described(store, 2).description
    assert (found.title, found.caption, found.rating) == ("own 2", "words", 4)
    assert found.keywords == ("sea", "own")
    (own,) = (rows for rows in store.column_rows.contents())
    sidecars = store.column_rows.sidecars()
    assert [kind for kind, _ in sidecars[2]] == ["xmp", "takeout"] and 1 not in sidecars
    assert store.column_rows.sidecars([1, 2]) == sidecars and len(own) == 2


def test_dates_and_positions_are_borrowed_and_given_back(store, scope):
    before = store.column_rows.state().last_change
    file_id = record(store, scope, b"b.jpg", "takeout", TAKEOUT)
    assert store.column_rows.changed_after(before) == [2]
    found = described(store, 2)
    assert (found.taken_at, found.latitude, found.longitude) == (TAKEOUT.taken_at, 48.85, 2.35)
    other = record(store, scope, b"c/b.jpg", "xmp", XMP)
    found = described(store, 2)
    assert (found.taken_at, found.latitude, found.longitude) == (XMP.taken_at, 1.5, -2.5)
    store.sidecars.record([], gone=[(other, "xmp")])
    assert described(store, 2).taken_at == TAKEOUT.taken_at
    store.sidecars.record([], gone=[(file_id, "takeout")])
    found = described(store, 2)
    assert (found.taken_at, found.latitude, found.longitude) == (None, None, None)
    assert store.sidecars.known(scope) == {}


def test_the_own_date_stays(store, scope):
    file_id = record(store, scope, b"a.jpg", "takeout", TAKEOUT)
    assert (described(store, 1).taken_at, described(store, 1).latitude) == (OWN, 48.85)
    store.sidecars.record([], gone=[(file_id, "takeout")])
    assert (described(store, 1).taken_at, described(store, 1).latitude) == (OWN, None)


def test_a_borrowed_date_may_be_doubtful(store, scope):
    record(store, scope, b"b.jpg", "takeout", Description(taken_at=datetime(1970, 1, 1, 0, 0, 5)))
    assert described(store, 2).is_date_doubtful
    record(store, scope, b"b.jpg", "takeout", TAKEOUT)
    assert not described(store, 2).is_date_doubtful


def test_removed_files_and_garbage(store, scope):
    file_id = record(store, scope, b"c/b.jpg", "xmp", XMP)
    store.pictures.remove_files([file_id])
    assert store.sidecars.known(scope) == {} == store.column_rows.sidecars()
    assert described(store, 2).description == Description(title="own 2", keywords=("own",))
    assert store.sidecars.file_ids(scope, [b"c/b.jpg"]) == {}
    store.garbage.delete()
    assert store.connection.rows("SELECT count(*) FROM sidecars")[0][0] == 0


def test_one_that_says_nothing_changes_nothing(store, scope):
    record(store, scope, b"a.jpg", "xmp", NOTHING)
    assert described(store, 1).description == Description(title="own 1", keywords=("own",))
    assert store.column_rows.sidecars() == {}
