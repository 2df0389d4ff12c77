"""Stacks as hits: one for each, its best picture that passes, and the same pages whatever is indexed meanwhile."""

import pytest

from clipsearch import Catalog, SearchHit
from tests.support.stacks import paint, paint_bursts


@pytest.fixture
def photos(tmp_path):
    return paint_bursts(tmp_path / "photos")


@pytest.fixture
def catalog(tmp_path, photos, colours):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


def names(hits: "list[SearchHit] | tuple[SearchHit, ...]") -> list[str]:
    return [hit.path.rpartition("/")[2] for hit in hits]


def test_a_stack_is_one_hit_and_top_k_counts_stacks(catalog):
    hits = catalog.search("red", top_k=2)
    assert sorted(len(hit.stack) for hit in hits) == [0, 3]
    assert {name.partition("-")[0] for name in names(hits)} == {"red"}
    every = catalog.search("red", top_k=100)
    shown = [number for hit in every for number in (hit.content_id, *hit.stack)]
    assert len(every) == 4 and len(shown) == len(set(shown)) == 9
    assert [hit.rank for hit in every] == [1, 2, 3, 4]


def test_without_stacks_each_picture_is_a_hit(catalog):
    hits = catalog.search("red", top_k=100, stacks=False)
    assert len(hits) == 9 and not any(hit.stack for hit in hits)
    assert len(catalog.search_page("red", page_size=100, stacks=False).hits) == 9


def test_a_stack_has_the_score_of_the_member_that_matches_best(catalog):
    alone = {hit.content_id: hit for hit in catalog.search("red", top_k=100, stacks=False)}
    hit = next(hit for hit in catalog.search("red", top_k=100, explain=True) if hit.stack)
    members = [alone[number] for number in (hit.content_id, *hit.stack)]
    best = min(members, key=lambda each: each.rank)
    assert best.content_id != hit.content_id  # another is the sharpest
    assert hit.score == best.score and hit.relevance == best.relevance
    assert sum(term.contribution for term in hit.terms) == pytest.approx(hit.score, abs=1e-3)


def test_filters_choose_among_the_members(catalog):
    whole = next(hit for hit in catalog.search("red", top_k=100) if hit.stack)
    for query in ("red path:red-3.jpg", "path:red-3.jpg"):
        (hit,) = catalog.search(query)
        assert names([hit]) == ["red-3.jpg"] and hit.stack == ()
    for query in ("red path:red-*.jpg -path:red-0.jpg", "path:red-*.jpg -path:red-0.jpg"):
        found = next(hit for hit in catalog.search(query) if hit.stack)
        assert len(found.stack) == 2
        assert {found.content_id, *found.stack} < {whole.content_id, *whole.stack}


def test_filters_alone_list_stacks_by_their_last_picture(catalog):
    assert [name.partition("-")[0] for name in names(catalog.search("type:jpg", top_k=100))] == [
        "red",
        "blue.jpg",
        "lime",
        "red",
    ]
    assert len(catalog.search("type:jpg", top_k=3)) == 3
    assert catalog.pictures.facets().pictures == 9


def test_a_marked_picture_takes_its_stack_along(catalog):
    stack = next(hit for hit in catalog.search("red", top_k=100) if hit.stack)
    for query in ("red", "type:jpg"):
        left = catalog.search(query, top_k=100, less=[stack.stack[0]])
        assert len(left) == 3 and stack.content_id not in {hit.content_id for hit in left}
        assert len(catalog.search(query, top_k=100, less=[stack.stack[0]], stacks=False)) == 8


@pytest.mark.parametrize("query", ["red", "type:jpg"])
def test_pages_are_the_search_cut_into_pieces(catalog, photos, query):
    whole = catalog.search(query, top_k=100)
    first = catalog.search_page(query, page_size=1)
    paint(photos / "red-4.jpg", "red", 2, spots=5)  # joins the first stack, and is sharper
    paint(photos / "lime-new.jpg", "lime", 20_000)
    catalog.index(photos)
    hits, after = list(first.hits), first.next
    while after is not None:
        page = catalog.search_page(query, page_size=1, after=after)
        hits += page.hits
        after = page.next
    assert [(hit.rank, hit.content_id, hit.stack) for hit in hits] == [
        (hit.rank, hit.content_id, hit.stack) for hit in whole
    ]


def test_missing_files_are_no_members(catalog, photos):
    (photos / "lime-0.jpg").unlink()
    (photos / "lime-1.jpg").unlink()
    catalog.index(photos)
    assert [hit.stack for hit in catalog.search("lime", top_k=1)] == [()]


def test_diverse_hits_are_stacks_too(catalog):
    hits = catalog.search("red", top_k=3, diverse=True)
    assert len(hits) == 3 and len({hit.content_id for hit in hits}) == 3


def test_hits_of_stacks_are_queries(catalog):
    hit = next(hit for hit in catalog.search("red", top_k=100) if hit.stack)
    assert catalog.search(hit, top_k=1)[0].content_id == hit.content_id


def test_the_pictures_of_a_stack(catalog):
    hit = next(hit for hit in catalog.search("red", top_k=100) if hit.stack)
    assert [each.content_id for each in catalog.pictures.stack(hit.stack[0])] == [hit.content_id, *hit.stack]
    (single,) = catalog.search("blue", top_k=1)
    assert [each.content_id for each in catalog.pictures.stack(single.content_id)] == [single.content_id]
    assert names(catalog.pictures.stack(hit.content_id, "path:red-3.jpg")) == ["red-3.jpg"]
    assert catalog.pictures.stack(99_999) == ()
