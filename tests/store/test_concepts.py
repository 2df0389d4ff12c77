"""Concepts in SQL: kept apart, checked, repaired, and added to older catalogs."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from clipsearch.store import Store
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.migrate import current_revision
from clipsearch.store.recovery.row_repair import repair_rows
from clipsearch.store.recovery.salvage import salvage


@pytest.fixture
def old(tmp_path):
    """A catalog of the first schema, with three contents."""
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        connection.executescript((Path(__file__).parent / "schema_0001.sql").read_text(encoding="utf-8"))
    return tmp_path


@pytest.fixture
def store(old):
    with Store(old) as opened:
        yield opened


def test_a_catalog_of_before_has_concepts_after_a_backup(old):
    with Store(old) as store:
        assert store.backup is not None and current_revision(store.backup) == "0001"
        assert store.concepts.list_all() == []
        store.concepts.add("rex", "a dog", [(1, True), (3, False)])
    with Store(old) as store:
        assert store.backup is None
        found = store.concepts.find("rex")
    assert (found.words, found.positives, found.negatives) == ("a dog", (1,), (3,))


def test_examples_are_in_the_order_they_were_added_and_the_last_word_counts(store):
    store.concepts.add("b", None, [(3, True), (1, True)])
    store.concepts.add("a", None, [(1, False)])
    store.concepts.add("b", "words", [(2, True), (1, False), (99, True)])
    assert store.concepts.names() == ["a", "b"]
    a, b = store.concepts.list_all()
    assert (b.words, b.positives, b.negatives) == ("words", (3, 2), (1,))
    assert (a.words, a.positives, a.negatives) == (None, (), (1,))
    assert store.concepts.remove_examples("b", [1, 3, 99]) == 2
    assert store.concepts.find("b").positives == (2,)
    assert store.concepts.find("a") == a
    assert store.concepts.remove("b") and not store.concepts.remove("b")
    assert store.concepts.find("b") is None and store.concepts.find("a") == a


def test_examples_without_a_concept_or_a_content_are_repaired(store, old):
    store.concepts.add("rex", "a dog", [(1, True), (2, True)])
    store.close()
    with closing(sqlite3.connect(old / DATABASE_NAME)) as connection:
        connection.execute("INSERT INTO concept_examples (concept_id, content_id, is_positive) VALUES (77, 1, 1)")
        connection.execute("INSERT INTO concept_examples (concept_id, content_id, is_positive) VALUES (1, 77, 1)")
        connection.execute("UPDATE concepts SET words = CAST(x'ff' AS TEXT)")
        connection.execute(
            "INSERT INTO concepts (name, created_at) VALUES (CAST(x'fe' AS TEXT), '2026-01-01 00:00:00')"
        )
        connection.commit()
    repair_rows(old / DATABASE_NAME)
    with Store(old) as again:
        (found,) = again.concepts.list_all()
    assert (found.name, found.words, found.positives) == ("rex", None, (1, 2))


def test_what_a_damaged_catalog_had_learnt_is_saved(store, old, tmp_path):
    store.concepts.add("rex", "a dog", [(1, True), (2, False)])
    before = store.concepts.find("rex")
    store.close()
    fresh = tmp_path / "fresh.sqlite3"
    fresh.touch()
    saved = salvage(old / DATABASE_NAME, fresh)
    assert (saved["concepts"], saved["concept_examples"]) == (1, 2)
    (tmp_path / "new").mkdir()
    fresh.rename(tmp_path / "new" / DATABASE_NAME)
    with Store(tmp_path / "new") as again:
        assert again.concepts.find("rex") == before
