"""Pictures found by what is written about them, among those found by what they show."""

from dataclasses import replace
from itertools import pairwise

import pytest

from clipsearch import Catalog
from clipsearch.description import Description
from clipsearch.query import parse_query
from clipsearch.search.written import FEW, MOST_MATCHES, rank_documents, searched_words
from clipsearch.store import Store
from clipsearch.store.sidecars import SidecarRecord
from clipsearch.written.documents import document_of, words_of

QUERIES = ("red", "a red square", "blue", "green and blue", "red & blue", "red - blue", "the lime photo")


def describe(directory, described: dict[str, Description]) -> None:
    """Store descriptions as sidecars of files, by the names of these."""
    with Store(directory) as store:
        ids = {path: number for rows in store.column_rows.files() for number, _, _, path in rows}
        store.sidecars.record(
            [SidecarRecord(ids[name.encode()], "xmp", b"x.xmp", 1, 1, each) for name, each in described.items()]
        )


COLOURS = ("red", "lime", "blue", "yellow", "cyan", "magenta", "white", "black", "gray", "olive", "navy", "teal")


@pytest.fixture
def catalog(tmp_path, colours):
    from PIL import Image

    photos = tmp_path / "photos"
    photos.mkdir()
    for number, colour in enumerate(COLOURS):
        Image.new("RGB", (16 + number, 12), colour).save(photos / f"{number:02}.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


def names(hits):
    return [hit.path.rpartition("/")[2] for hit in hits]


@pytest.mark.parametrize(
    "options", [{}, {"diverse": True}, {"sort": "name"}, {"reverse": True}, {"min_relevance": 0.3}]
)
def test_without_writing_hits_are_the_same(catalog, options):
    describe(catalog.directory, {"03.png": Description(title="Sommerlager am See", keywords=("Zelt",))})
    for query in QUERIES:
        assert catalog.search(query, **options) == catalog.search(query, written=False, **options)


def test_a_picture_with_the_words_comes_first(catalog):
    describe(
        catalog.directory,
        {"04.png": Description(title="Red lantern"), "05.png": Description(caption="We saw a lantern, red as fire")},
    )
    hits = catalog.search("a red lantern", top_k=20)
    # Of these two, what they show decides.
    quoted = {"04.png": "Red lantern", "05.png": "We saw a lantern, red as fire"}
    assert dict(zip(names(hits)[:2], [hit.written for hit in hits[:2]], strict=True)) == quoted
    assert {hit.written for hit in hits[2:]} == {None}
    assert [hit.rank for hit in hits] == list(range(1, 13))
    before = catalog.search("a red lantern", top_k=20, written=False)
    others = [hit.content_id for hit in before if hit.written is None and names([hit])[0] not in ("04.png", "05.png")]
    assert [hit.content_id for hit in hits[2:]] == others
    # The score and the relevance say what a picture shows.
    by_id = {hit.content_id: hit for hit in before}
    assert all(replace(hit, rank=0, written=None) == replace(by_id[hit.content_id], rank=0) for hit in hits)
    assert catalog.match("a red lantern", hits[0].content_id).written == hits[0].written
    assert catalog.match("a red lantern", hits[5].content_id).written is None


def test_all_words_have_to_be_written(catalog):
    describe(catalog.directory, {"04.png": Description(title="Lantern")})
    assert catalog.search("a blue lantern") == catalog.search("a blue lantern", written=False)
    assert names(catalog.search("lantern"))[0] == "04.png"
    assert catalog.search("lanter") == catalog.search("lanter", written=False)  # no part of a word
    assert catalog.search("lantern - red") == catalog.search("lantern - red", written=False)
    assert searched_words(parse_query("lantern & red")) is None


def test_few_pictures_with_the_words_are_hits_whatever_their_relevance(catalog):
    describe(catalog.directory, {"04.png": Description(title="Lantern")})
    for options in ({}, {"sort": "taken"}, {"diverse": True}, {"reverse": True}):
        hits = catalog.search("lantern", min_relevance=0.99, **options)
        assert "04.png" in names(hits)
    assert names(catalog.search("lantern taken:..1990", min_relevance=0.5)) == []


def test_pages_are_those_of_one_list(catalog):
    describe(
        catalog.directory, {f"{number:02}.png": Description(title=f"Lantern {number}") for number in (3, 6, 8, 11)}
    )
    for options in ({}, {"sort": "name"}, {"stacks": False}):
        whole = catalog.search("red lantern", top_k=100, **options)
        after, found = None, []
        while not found or after is not None:
            page = catalog.search_page("red lantern", page_size=5, after=after, **options)
            found, after = [*found, *page.hits], page.next
        assert found == whole


def test_filters_on_writing_apply_everywhere(catalog):
    describe(
        catalog.directory,
        {"04.png": Description(title="Summer camp"), "05.png": Description(keywords=("summer",), caption="a camp")},
    )
    assert names(catalog.search('written:"summer camp"')) == ["04.png"]
    assert names(catalog.search("written:summer written:camp")) == ["05.png", "04.png"]
    assert names(catalog.search("written:umme -written:keyword path:04")) == ["04.png"]
    assert len(catalog.search("red -written:summer", top_k=100)) == len(COLOURS) - 2
    assert set(names(catalog.search("red written:summer"))) == {"04.png", "05.png"}
    assert catalog.search("written:summer", top_k=2)[0].written == "summer"
    assert catalog.pictures.facets("written:summer").pictures == 2
    assert catalog.pictures.facets("-written:summer").pictures == len(COLOURS) - 2
    assert [hit.content_id for hit in catalog.search_page("written:camp", page_size=1).hits] == [6]


def test_the_more_pictures_have_the_words_the_less_each_gains():
    def ranks(count, **described):
        documents = {number: document_of(Description(**described), []) for number in range(count)}
        wanted = words_of("dog beach")
        assert wanted is not None
        return rank_documents(documents, wanted)

    assert set(ranks(FEW, title="Dog beach").values()) == {1}
    assert set(ranks(FEW + 1, title="Dog beach").values()) == {FEW + 1}
    assert set(ranks(MOST_MATCHES, title="Dog beach").values()) == {MOST_MATCHES}


def test_better_places_rank_first():
    wanted = words_of("summer camp")
    assert wanted is not None
    written = [
        (Description(title="The summer camp"), []),
        (Description(keywords=("camp", "summer")), []),
        (Description(caption="Our summer camp"), []),
        (Description(caption="camp", city="Summer"), []),
        (Description(), ["summer_camp/a.jpg"]),
        (Description(caption="camp"), ["summer/a.jpg"]),
    ]
    ranks = rank_documents({number: document_of(*each) for number, each in enumerate(written)}, wanted)
    assert all(one < other for one, other in pairwise(ranks[number] for number in range(len(written))))
