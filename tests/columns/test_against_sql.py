"""Columns select, order and count what SQL does, whatever the names, the values and the filters."""

import random

import numpy as np
import pytest

from clipsearch.columns import conditions, counting, days, orders
from clipsearch.columns.orders import Order
from clipsearch.columns.table import Columns
from clipsearch.session.columns import CatalogColumns, read_segment
from clipsearch.store import FileRecord
from tests.support.filter_sql import FilterSql
from tests.support.odd_catalogs import fill, name_of, random_filters, record_of

COUNT = 1_500


@pytest.fixture(scope="module")
def filled(make_store):
    store = make_store()
    fill(store, COUNT, random.Random(1))
    return store, Columns([read_segment(store)[0]]), FilterSql(store)


@pytest.mark.parametrize("seed", range(5))
def test_random_filters(filled, seed, monkeypatch):
    store, columns, sql = filled
    if seed % 2:  # in several pieces
        monkeypatch.setattr(counting, "_CHUNK", 101)
        monkeypatch.setattr(conditions, "_CHUNK", 64)
        monkeypatch.setattr(days, "_CHUNK", 64)
        monkeypatch.setattr(orders, "_CHUNK", 10)
    monkeypatch.setattr(conditions, "_SPARSE", (16, 1, 1 << 40)[seed % 3])
    monkeypatch.setattr(counting, "_SPARSE", (1, 16, 1 << 40)[seed % 3])
    monkeypatch.setattr(orders, "_SPARSE", (1, 16, 1 << 40)[seed % 3])
    rng = random.Random(f"{store.connection.dialect} {seed}")
    hits, count = 0, 100 if sql.dialect == "sqlite" else 20
    for number in range(count):
        filters = random_filters(rng)
        expected = sql.select(filters)
        found = columns.select(filters)
        assert columns.select_ids(filters).tolist() == expected, [str(each) for each in filters]
        assert len(found) == columns.count(filters) == len(expected)
        hits += bool(expected)
        if number % 10 == 0:
            assert columns.first(filters, 20, Order()) == sql.newest(filters, 20), [str(each) for each in filters]
            check_facets(columns, sql, filters)
            check_orders(columns, sql, filters, 20)
    assert hits > count / 6


ORDERS = [Order(by, is_reverse) for by in ("taken", "added", "name") for is_reverse in (False, True)]


def check_orders(columns, sql, filters, top_k):
    for order in ORDERS:
        expected = sql.in_order(filters, order)
        assert columns.first(filters, top_k, order) == expected[:top_k], (order, [str(each) for each in filters])
        keys = columns.sort_keys([*expected, 1 << 40], order)
        assert sorted(keys, key=keys.__getitem__, reverse=order.descends) == expected
    assert columns.years(filters) == sql.years(filters)


def check_facets(columns, sql, filters):
    facets = columns.facets(filters)
    ends = (facets.first_taken, facets.last_taken)
    assert sql.facets(filters) == {
        "cameras": facets.cameras,
        "formats": facets.formats,
        "blurred": facets.blurred,
        "dark": facets.dark,
        "period": tuple(each and each.isoformat(" ", "seconds") for each in ends),
    }, [str(each) for each in filters]
    assert facets.pictures == columns.count(filters)


def test_all_of_them(filled):
    _, columns, sql = filled
    check_facets(columns, sql, ())
    check_orders(columns, sql, (), 2 * COUNT)
    assert columns.first((), 2 * COUNT, Order()) == sql.newest((), 2 * COUNT)
    assert columns.first((), 1, Order()) == sql.newest((), 1)
    unmeasured = sql.rows("SELECT count(*) FROM contents c WHERE c.sharpness IS NULL AND c.content_id IN "
                          "(SELECT content_id FROM files WHERE removed_at IS NULL)", [])  # fmt: skip
    assert columns.count_unmeasured() == unmeasured[0][0] > 100


def test_they_stay_so_while_pictures_change(make_store, tmp_path):
    store = make_store()
    rng = random.Random(2)
    model_id = fill(store, 300, rng)
    columns, sql = CatalogColumns(store, tmp_path), FilterSql(store)
    first = columns.get()
    assert columns.get() is first, "nothing has changed"
    root_id = store.roots.list_all()[0].root_id
    for round_number in range(12):
        change(store, rng, root_id=root_id, model_id=model_id, number=1_000 + 10 * round_number)
        for _ in range(4):
            filters = random_filters(rng)
            assert columns.get().select_ids(filters).tolist() == sql.select(filters), [str(each) for each in filters]
        check_facets(columns.get(), sql, ())
        check_orders(columns.get(), sql, (), 50)
        assert columns.get().first((), 50, Order()) == sql.newest((), 50)
        assert len(columns.get()) == len(sql.select(()))
    assert columns.get().segments[0] is first.segments[0], "what was there stays"
    assert 1 < len(columns.get().segments) < 7


def change(store, rng, *, root_id, model_id, number):
    """Add pictures, copy, change, remove and restore files, and measure contents."""
    ids = [(file_id, content_id) for rows in store.column_rows.files() for file_id, content_id, *_ in rows]
    kind = rng.choice(["add", "copy", "change", "remove", "restore", "measure"])
    if kind == "add":
        records = [record_of(number + each, rng) for each in range(rng.randint(1, 10))]
        files = [FileRecord(root_id, name_of(rng), 1, 0, each.blake3, None) for each in records]
        store.pictures.record(records, list({each.relative_path: each for each in files}.values()), model_id=model_id)
    elif kind == "copy":
        file = FileRecord(root_id, f"copy/{number}.jpg", 1, 0, rng.randint(1, 300).to_bytes(32, "big"), None)
        store.pictures.record([], [file], model_id=model_id)
    elif kind == "change":
        store.pictures.record([], [FileRecord(root_id, "copy/1.jpg", 1, number, b"\0" * 31 + b"\7", None)], model_id=1)
    elif kind == "remove":
        store.pictures.remove_files([file_id for file_id, _ in rng.sample(ids, 20)])
    elif kind == "restore":
        store.pictures.restore_files(range(1, 100))
    else:
        measured = {rng.randint(1, 300).to_bytes(32, "big"): record_of(1, rng).metadata for _ in range(9)}
        store.pictures.set_measures(measured)


def test_sparse_ids_are_selected_too(filled):
    _, columns, _ = filled
    segment = columns.segments[0]
    arrays = dict(segment.arrays) | {"ids": segment.ids + (1 << 40)}
    far = Columns([type(segment)(arrays, cameras=segment.cameras, formats=segment.formats)])
    assert far.select_ids(()).tolist() == (columns.select_ids(()) + (1 << 40)).tolist()
    assert isinstance(far.select(()), np.ndarray)
