"""More and less of pictures: what is found, what is left out, and what is refused."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog, InputError, Query, QueryError, SearchHit, UnknownPictureError, parse_query
from clipsearch.query import Term
from clipsearch.scoring.feedback import Unwanted
from clipsearch.search.feedback import MOST_MARKS, Feedback
from clipsearch.search.retrieval import find_nearest
from clipsearch.session.session import Session
from clipsearch.types import ModelOptions


@pytest.fixture(scope="module")
def samples(indexed_samples, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with Catalog.open(indexed_samples.copy_to(tmp_path_factory.mktemp("feedback") / "catalog")) as catalog:
        yield catalog


def ids(hits: list[SearchHit]) -> list[int]:
    return [hit.content_id for hit in hits]


def test_what_is_marked_with_less_is_left_out_and_nothing_else(samples):
    every = ids(samples.search("an animal", top_k=1000))
    found = samples.search("an animal", top_k=1000, less=every[:3])
    assert sorted(ids(found)) == sorted(every[3:]) and [hit.rank for hit in found] == list(range(1, len(every) - 2))
    assert ids(samples.search("an animal", top_k=4, less=every[:3])) == ids(found)[:4]


def test_what_is_marked_with_more_moves_up_and_brings_what_is_like_it(samples):
    before = ids(samples.search("a thing", top_k=1000))
    wanted = before[-1]
    alike = ids(samples.search(f"id:{wanted}", top_k=3))[1:]
    after = ids(samples.search("a thing", top_k=1000, more=[wanted]))
    assert sorted(after) == sorted(before)
    assert after.index(wanted) < before.index(wanted)
    assert all(after.index(each) < before.index(each) for each in alike)


def test_hits_are_marked_like_their_ids(samples):
    hits = samples.search("an animal", top_k=4)
    expected = samples.search("an animal", more=[hits[1].content_id], less=[hits[0].content_id])
    assert samples.search("an animal", more=[hits[1]], less=iter([hits[0]])) == expected
    assert samples.search("an animal", more=[hits[1], hits[1]], less=[hits[0]]) == expected


def test_files_are_marked_by_their_content(samples, tmp_path):
    hits = samples.search("an animal", top_k=3)
    copy = shutil.copy(hits[1].path, tmp_path / "elsewhere")
    expected = samples.search("an animal", more=[hits[1]], less=[hits[0]])
    assert samples.search("an animal", more=[copy], less=[Path(hits[0].path)]) == expected
    assert samples.search("an animal", more=[f"id:{hits[1].content_id}"], less=[hits[0]]) == expected
    (tmp_path / "other").write_bytes(b"x")
    for missing, message in ((tmp_path / "other", "is not in the catalog"), ("nowhere.jpg", "no such picture")):
        with pytest.raises(InputError, match=message):
            samples.search("an animal", more=[missing])


def test_pictures_alone_are_a_query(samples):
    wanted = ids(samples.search("an animal", top_k=3))
    found = samples.search("", more=wanted, top_k=5)
    assert found == samples.search(Query(), more=wanted, top_k=5) == samples.search("  ", more=wanted, top_k=5)
    terms = samples.search(" + ".join(f"id:{number}" for number in wanted), top_k=5)
    assert ids(found) == ids(terms) and {*wanted} == {*ids(found)[:3]}
    assert all(not math.isnan(hit.score) for hit in found)


def test_filters_go_with_marks(samples):
    wanted = ids(samples.search("a donut", top_k=1))
    every = ids(samples.search("type:png", top_k=1000))
    assert sorted(ids(samples.search("type:png", more=wanted, top_k=1000))) == sorted(every)
    assert ids(samples.search("type:png", less=every[1:3], top_k=1000)) == [every[0], *every[3:]]
    assert ids(samples.search("type:png", less=every[:1], top_k=2)) == every[1:3]


def test_each_part_of_a_query_is_moved(samples):
    query = parse_query("an animal & grass")
    moved = Feedback(more=(3, 4)).add_wanted(query)
    pictures = (Term("id", "3", 0.5), Term("id", "4", 0.5))
    assert moved.groups == ((Term("words", "an animal"), *pictures), (Term("words", "grass"), *pictures))
    found = samples.search("an animal & grass", top_k=1000, less=[5])
    assert 5 not in ids(found) and len(found) == len(samples.search("an animal & grass", top_k=1000)) - 1


def test_the_search_finds_what_comparing_all_pictures_finds(samples):
    session = Session.open(samples.directory, ModelOptions(), create=False, is_shared=False)
    index = session.vector_index("images")
    background = session.background(index)
    every = np.sort(index.search(np.ones((1, index.dim), dtype=np.float32) / math.sqrt(index.dim), index.count)[1][0])
    known = samples.pictures
    rows = np.stack([known.embedding(int(number)) for number in every])
    words = [session.model.encode_text(text) for text in ("an animal", "food", "a vehicle on a road")]
    for count in (1, 2, 3):
        directions = [background.direction([row], [1.0], are_words=[True]) for row in words[:count]]
        marked = Unwanted((int(every[0]), int(every[9])), rows[[0, 9, 20]], background.pictures)
        worth = np.min([each.worth(rows @ each.embedding) for each in directions], axis=0)
        worth = worth - marked.nearest(marked.embeddings @ rows.T)[1]
        for top_k in (1, 3, 10, len(every)):
            found = find_nearest(directions, top_k, index=index, among=None, unwanted=marked)
            order = np.argsort(-worth, kind="stable")[:top_k]
            assert found.worth == pytest.approx(worth[order], abs=0.02)
            assert len({*found.ids.tolist()} ^ {*every[order].tolist()}) <= 2  # near ties in float16
    session.close()


def test_what_the_terms_add_is_the_score(samples):
    first, second, *_ = ids(samples.search("an animal", top_k=5))
    found = samples.search("an animal", top_k=30, more=[second], less=[first], explain=True)
    assert any(term.contribution < 0 and term.term == f"id:{first}" for hit in found for term in hit.terms)
    for hit in found:
        assert sum(term.contribution for term in hit.terms) == pytest.approx(hit.score, abs=2e-3)
        assert [term.term for term in hit.terms[:2]] == ["an animal", f"id:{second}"]
        matched = samples.match("an animal", hit.content_id, more=[second], less=[first])
        assert (matched.score, matched.relevance) == (
            pytest.approx(hit.score, abs=2e-3),
            pytest.approx(hit.relevance, abs=2e-2),
        )


def test_relevance_tells_what_matches_from_what_does_not(samples):
    (donut,) = samples.search("a glazed donut", top_k=1)
    other = samples.search("a glazed donut", top_k=1000, more=[donut])[-1]
    assert other.relevance < 0.1
    assert samples.search("a glazed donut", top_k=1, more=[donut])[0].relevance > 0.5


def test_pages_go_on_with_their_marks(samples):
    first, second, third, *_ = ids(samples.search("an animal", top_k=5))
    marks = {"more": [second], "less": [first]}
    whole = ids(samples.search("an animal", top_k=12, **marks))
    page = samples.search_page("an animal", page_size=5, **marks)
    after = samples.search_page("an animal", page_size=5, after=page.next, **marks)
    assert [hit.content_id for hit in (*page.hits, *after.hits)] == whole[:10]
    assert [hit.rank for hit in after.hits] == [6, 7, 8, 9, 10]
    with pytest.raises(QueryError, match="belongs to another search"):
        samples.search_page("an animal", page_size=5, after=page.next, more=[third])
    assert ids(samples.search_page("", page_size=3, more=[second]).hits) == ids(
        samples.search("", top_k=3, more=[second])
    )


def test_diverse_hits_leave_out_what_is_marked_with_less(samples):
    first, *_ = ids(samples.search("an animal", top_k=1))
    assert first not in ids(samples.search("an animal", top_k=10, diverse=True, less=[first]))


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ({"more": [1], "less": [2, 1]}, "picture 1 is marked as more and as less"),
        ({"more": [0]}, "0 is not a picture of the catalog"),
        ({"less": [True]}, "True is not a picture of the catalog"),
        ({"less": [None]}, "None is not a picture of the catalog"),
        ({"more": [1 << 62]}, "is not a picture of the catalog"),
        ({"more": ["https://example.org/cat.jpg"]}, "is a URL"),
        ({"more": range(1, MOST_MARKS), "less": [500, 501]}, "up to 100 pictures can be marked"),
    ],
)
def test_marks_that_mean_nothing_are_refused(samples, marks, message):
    with pytest.raises(QueryError, match=message):
        samples.search("an animal", **marks)


@pytest.mark.parametrize("marks", [{"more": [123_456]}, {"less": [123_456]}])
def test_a_picture_that_is_not_there_is_refused(samples, marks):
    with pytest.raises(UnknownPictureError, match="no picture with the number 123456"):
        samples.search("an animal", **marks)


def test_an_empty_query_needs_a_picture_that_is_wanted(samples):
    with pytest.raises(QueryError, match="the query is empty"):
        samples.search("", less=[1])


def test_a_hundred_marks_of_a_catalog_of_copies_cancel_nothing(tmp_path: Path, colours):
    (tmp_path / "p").mkdir()
    for number in range(110):
        Image.new("RGB", (20, 20), (200, number, 0)).save(tmp_path / "p" / f"{number}.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(tmp_path / "p")
        every = ids(catalog.search("red", top_k=200))
        found = catalog.search("red", top_k=200, more=every[:50], less=every[50:100])
        assert {*ids(found)} == {*every[:50], *every[100:]} and all(0 <= hit.relevance <= 1 for hit in found)
