"""Embeddings read in the order they were stored."""

import sqlite3

import numpy as np

from clipsearch.store import ContentRecord, Store
from clipsearch.store.backends import connection
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.types import ImageMetadata
from clipsearch.vectors import normalise


def content(number: int, dim: int) -> ContentRecord:
    row = normalise(np.arange(number, number + dim, dtype=np.float32)[np.newaxis])[0]
    return ContentRecord(bytes([number]) * 32, 10, ImageMetadata(4, 3, "JPEG"), row)


def test_rows_of_two_models_stay_apart(store):
    models = [store.models.add(name=name, fingerprint=name * 64, dim=dim) for name, dim in (("a", 4), ("b", 6))]
    for model in models:
        records = [content(number, model.dim) for number in range(1, 11)]
        store.pictures.record(records, [], model_id=model.model_id)
    for model in models:
        parts = list(store.reader.rows_after("images", model_id=model.model_id, dim=model.dim, chunk=4))
        assert [part.embeddings.shape for part in parts] == [(4, model.dim), (4, model.dim), (2, model.dim)]
        assert len(set(np.concatenate([part.ids for part in parts]).tolist())) == 10
        (later,) = store.reader.rows_after(
            "images", model_id=model.model_id, dim=model.dim, embedding_id=parts[1].last_embedding_id
        )
        np.testing.assert_array_equal(later.ids, parts[2].ids)


def test_asking_for_new_rows_reads_only_new_rows(tmp_path, monkeypatch):
    asked = []

    def open_traced(path):
        opened = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        opened.set_trace_callback(asked.append)
        return opened

    Store(tmp_path, create=True).close()
    monkeypatch.setattr(connection, "open_sqlite", open_traced)
    store = Store(tmp_path)
    assert list(store.reader.rows_after("images", model_id=1, dim=4, embedding_id=7)) == []
    assert list(store.reader.rows_after("captions", model_id=1, dim=4, embedding_id=7)) == []
    store.close()
    questions = [statement for statement in asked if "embedding_id >" in statement]
    assert len(questions) == 2
    with sqlite3.connect(tmp_path / DATABASE_NAME) as other:
        for question in questions:
            (plan,) = other.execute(f"EXPLAIN QUERY PLAN {question}")
            assert "INTEGER PRIMARY KEY (rowid>?)" in plan[3]
    other.close()
