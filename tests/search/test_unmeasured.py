"""Filters on what an earlier version has not measured."""

import contextlib
import json
import sqlite3

import pytest

from clipsearch import Catalog
from clipsearch.columns.table import Columns
from clipsearch.errors import ClipSearchNotice
from clipsearch.store.backends.connection import DATABASE_NAME
from tests.support.command_line import run
from tests.support.xmp import array, packet, picture


@pytest.fixture
def place(indexed_samples, tmp_path):
    """A catalog in which three pictures are not measured."""
    copied = indexed_samples.copy_to(tmp_path / "catalog")
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog" / DATABASE_NAME)) as connection:
        connection.execute("UPDATE contents SET sharpness = NULL, brightness = NULL WHERE content_id <= 3")
        connection.commit()
    return copied


NOTICE = (
    "clipsearch: 3 pictures were not read for this filter by an earlier version: 'clipsearch index --again' reads them"
)


def test_a_notice_says_how_many_pictures_a_filter_knows_nothing_of(place):
    for words in (("query", "cat is:sharp"), ("query", "-is:dark"), ("unusual", "bright:>10")):
        assert run(*words, "--catalog", place).stderr.splitlines().count(NOTICE) == 1
    for words in (("query", "cat"), ("query", "cat has:gps"), ("representative",)):
        assert NOTICE not in run(*words, "--catalog", place).stderr


def test_unknown_values_neither_pass_nor_fail(place):
    def found(query: str) -> set[int]:
        return {
            hit["content_id"]
            for hit in json.loads(run("query", query, "-k", "99", "--json", "--catalog", place).stdout)["hits"]
        }

    assert len(found("sharp:0..100")) == 37
    assert found("-sharp:0..100") == {1, 2, 3}


def test_hits_tell_their_measures(place):
    printed = run("query", "has:gps", "-k", "99", "--json", "--catalog", place)
    hits = {hit["content_id"]: hit for hit in json.loads(printed.stdout)["hits"]}
    assert hits
    lines = run("query", "-has:gps", "-k", "99", "--jsonl", "--catalog", place).stdout.splitlines()
    hits |= {hit["content_id"]: hit for hit in map(json.loads, lines)}
    with Catalog.open(place) as catalog:
        known = {each.content_id: each.metadata for each in catalog.pictures.list(hits)}
    assert len(hits) == 40
    for content_id, hit in hits.items():
        assert (hit["sharpness"], hit["brightness"]) == (known[content_id].sharpness, known[content_id].brightness)
        assert (hit["sharpness"] is None) == (content_id <= 3)


def test_a_page_counts_them_once_and_gives_no_notice(place, monkeypatch, caplog):
    with Catalog.open(place) as catalog:
        counts: list[int] = []
        count = Columns.count_unmeasured
        monkeypatch.setattr(Columns, "count_unmeasured", lambda columns: counts.append(1) or count(columns))
        assert [catalog.search_page(query, page_size=2).unmeasured for query in ("is:sharp", "dog")] == [3, 0]
    assert counts == [1]
    assert not [record for record in caplog.records if "sharpness" in record.message]


def test_they_are_counted_for_a_query(place):
    with Catalog.open(place) as catalog:
        assert [catalog.pictures.count_unmeasured(query) for query in ("dog", "dog sharp:>4", "-is:dark")] == [0, 3, 3]


def test_the_last_one(place, tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog" / DATABASE_NAME)) as connection:
        connection.execute("UPDATE contents SET sharpness = 1, brightness = 1 WHERE content_id <= 2")
        connection.commit()
    assert (
        "1 picture was not read for this filter by an earlier version: 'clipsearch index --again' reads it"
        in run("query", "is:dark", "--catalog", place).stderr
    )


def test_what_is_written_in_files_of_an_earlier_version_is_read_again(tmp_path, colours):
    (tmp_path / "photos").mkdir()
    content = picture(xmp=packet(array("dc:subject", ["sea"]), 'xmp:Rating="4"'))
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "photos" / name).write_bytes(content + name.encode())
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(tmp_path / "photos")
        assert len(catalog.search("tag:sea")) == 2
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog" / DATABASE_NAME)) as connection:
        connection.execute("UPDATE contents SET described = NULL")
        connection.execute("UPDATE catalog SET stale_before = last_change + 1, last_change = last_change + 1")
        connection.commit()
    with Catalog.open(tmp_path / "catalog") as catalog:
        for query in ("tag:sea", "-rating:>1", "has:people"):
            assert catalog.pictures.count_unmeasured(query) == 2
        assert catalog.pictures.count_unmeasured("has:gps") == catalog.pictures.count_unmeasured("is:dark") == 0
        with pytest.warns(ClipSearchNotice, match="2 pictures were not read for this filter"):
            assert catalog.search("tag:sea") == []
        assert catalog.index(again=True).embedded == 0
        assert len(catalog.search("tag:sea rating:4")) == 2
        assert catalog.pictures.count_unmeasured("tag:sea") == 0
