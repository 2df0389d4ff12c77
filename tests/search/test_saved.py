"""Saved searches stand for themselves in queries, and report each new match."""

import pytest
from PIL import Image

from clipsearch import Catalog, ClipSearchNotice, InputError, Query, QueryError, UnknownConceptError
from clipsearch.search import saved
from clipsearch.store.records import SavedSearch
from tests.support.fakes import COLOURS

pytestmark = pytest.mark.usefixtures("colours")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("red", "green", "blue"):
        Image.new("RGB", (16, 12), COLOURS[name]).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def catalog(photos, tmp_path):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


def test_a_name_stands_for_its_search_everywhere(catalog):
    saved = catalog.saved.add("Warm", " red   path:r* ")
    assert isinstance(saved, SavedSearch) and (saved.name, saved.query) == ("warm", "red path:r*")
    assert catalog.saved.get("@WARM") == saved and catalog.saved.list() == [saved]
    for query in ("@warm", "@warm & red", "@warm type:png"):
        assert [hit.path.rpartition("/")[2] for hit in catalog.search(query)] == ["red.png"]
    assert catalog.search("@warm")[0].score == catalog.search("red path:r*")[0].score
    assert catalog.search_page("@warm").hits == catalog.search_page("red path:r*").hits
    assert catalog.match("@warm", catalog.search("@warm")[0].content_id).score == catalog.search("@warm")[0].score
    assert catalog.pictures.facets("@warm").pictures == 1
    assert catalog.saved.remove("warm") and not catalog.saved.remove("warm")
    with pytest.raises(UnknownConceptError, match="no concept or saved search @warm"):
        catalog.search("@warm")


@pytest.mark.parametrize(
    ("query", "expanded"),
    [
        ("@one", "red"),
        ("@one - @other", "red - blue"),
        ("2:@one + green", "2:red + green"),
        ("@only", "type:png"),
        ("@only red", "red type:png"),
        ("@only & @one", "red type:png"),
        ("@both", "red & blue path:r*"),
        ("@both - green", "red & blue - green path:r*"),
        ("@both green", "red & blue & green path:r*"),
        ("green & @nested", "green & red & blue path:r* type:png"),
        ("@minus", "red - blue"),
        ("green - @one", "green - red"),
    ],
)
def test_how_a_name_is_expanded(catalog, query, expanded):
    for name, text in {
        "one": "red",
        "other": "blue",
        "only": "type:png",
        "both": "red & blue path:r*",
        "minus": "red - blue",
        "nested": "@both & @only",
    }.items():
        catalog.saved.add(name, text)
    assert str(catalog.saved.expand(query)) == expanded


def test_what_can_not_be_expanded(catalog):
    catalog.saved.add("only", "type:png")
    catalog.saved.add("both", "red & blue")
    catalog.saved.add("more", "red path:r*")
    for query in ("red - @only", "2:@only", "red - @both", "red - @more"):
        with pytest.raises(QueryError, match="more than words"):
            catalog.search(query)
    with pytest.raises(QueryError, match="only excluded"):
        catalog.search("@only - red")
    catalog.saved.add("many", " + ".join(["red"] * 20))
    with pytest.raises(QueryError, match="more than 32 terms"):
        catalog.search("@many + @many")


def test_a_relative_date_stays_relative(catalog):
    catalog.saved.add("lately", "red from last month")
    saved = catalog.saved.get("lately")
    assert saved.query == "red from last month"
    assert catalog.saved.expand("@lately") == catalog.understand(saved.query).query


@pytest.mark.parametrize(
    ("name", "query", "reason"),
    [
        ("a b", "red", "invalid name"),
        ("", "red", "invalid name"),
        ("@", "red", "invalid name"),
        ("x", " ", "empty"),
        ("x", "red -", "nothing follows"),
        ("x", "./cat.jpg", "by their numbers"),
        ("x", "https://example.org/a.png", "by their numbers"),
        ("x", "@x", "refers to itself"),
        ("x", "red & @x", "refers to itself"),
        ("x", "@unknown", "no concept or saved search"),
        ("x", "y" * 4001, "up to 4,000"),
        ("x", "\udcff", "not valid text"),
        ("x", "a\0b", "no text"),
        ("known", "red", "already"),
        ("rex", "red", "is a concept"),
    ],
)
def test_what_can_not_be_saved(catalog, photos, name, query, reason):
    catalog.saved.add("known", "blue")
    catalog.concepts.add("rex", [photos / "red.png"])
    with pytest.raises(InputError, match=reason):
        catalog.saved.add(name, query)
    assert [each.query for each in catalog.saved.list()] == ["blue"]


def test_a_circle_is_found_when_it_is_closed(catalog):
    catalog.saved.add("a", "red")
    catalog.saved.add("b", "@a")
    catalog.saved.add("c", "@b")
    with pytest.raises(QueryError, match="@a refers to itself"):
        catalog.saved.add("a", "@c", replace=True)
    assert catalog.saved.get("a").query == "red"
    catalog._session.store.saved_searches.set("a", "@c", replace=True)  # as in a catalog of somebody else
    with pytest.raises(QueryError, match="refers to itself"):
        catalog.search("@b")


def test_searches_are_nested_up_to_a_depth(catalog):
    catalog.saved.add("s0", "red")
    for number in range(1, 17):
        catalog.saved.add(f"s{number}", f"@s{number - 1}")
    assert str(catalog.saved.expand("@s16")) == "red"
    with pytest.raises(QueryError, match="more than 16 deep"):
        catalog.saved.add("s17", "@s16")


def test_a_known_name_among_words_is_said_to_be_words(catalog):
    catalog.saved.add("warm", "red")
    with pytest.warns(ClipSearchNotice, match="@warm is taken as one of the words"):
        assert catalog.search("blue @warm")[0].score == catalog.search('blue "@warm"')[0].score


def test_two_processes_do_not_overwrite_each_other(catalog, monkeypatch):
    def expand(*_):  # as another process stores its own meanwhile
        catalog._session.store.saved_searches.set("x", "theirs", replace=False)
        return Query()

    monkeypatch.setattr(saved, "expand_search", expand)
    with pytest.raises(InputError, match="@x already: theirs"):
        catalog.saved.add("x", "ours")


def test_a_name_is_of_one_kind(catalog, photos):
    catalog.saved.add("rex", "red")
    with pytest.raises(InputError, match="is a saved search"):
        catalog.concepts.add("Rex", [photos / "red.png"])
    assert catalog.concepts.list() == []


def test_files_in_a_foreign_catalog_are_not_read(catalog):
    catalog._session.store.saved_searches.set("evil", "image:/etc/passwd", replace=True)
    with pytest.raises(QueryError, match="by their numbers"):
        catalog.search("@evil")


class TestNewMatches:
    def paint(self, photos, name, colour):
        Image.new("RGB", (16, 12), colour).save(photos / f"{name}.png")

    def found(self, catalog, name):
        return [hit.path.rpartition("/")[2] for hit in catalog.saved.new_matches(name)]

    def test_each_new_match_is_reported_once(self, catalog, photos):
        catalog.saved.add("reds", "red")
        assert self.found(catalog, "reds") == []  # what is there is not new
        for number in range(3):
            self.paint(photos, f"red{number}", (250 - number, 0, 0))
            self.paint(photos, f"blue{number}", (0, 0, 250 - number))
        catalog.index(photos)
        assert sorted(self.found(catalog, "@reds")) == ["red0.png", "red1.png", "red2.png"]
        assert self.found(catalog, "reds") == []
        (photos / "red0.png").rename(photos / "moved.png")
        catalog.index(photos)
        assert self.found(catalog, "reds") == []

    def test_filters_alone_match_too(self, catalog, photos):
        catalog.saved.add("named", "path:new*")
        assert self.found(catalog, "named") == []
        self.paint(photos, "new", (1, 2, 3))
        self.paint(photos, "other", (3, 2, 1))
        catalog.index(photos)
        assert self.found(catalog, "named") == ["new.png"]

    def test_an_interrupted_caller_goes_on_where_it_was(self, catalog, photos):
        catalog.saved.add("reds", "red")
        assert self.found(catalog, "reds") == []
        for number in range(3):
            self.paint(photos, f"red{number}", (250 - number, 0, 0))
        catalog.index(photos)
        matches = catalog.saved.new_matches("reds")
        first = next(matches)
        second = next(matches)
        matches.close()  # as at a kill while the second is handled
        left = self.found(catalog, "reds")
        assert len(left) == 2 and second.path.rpartition("/")[2] == left[0]
        assert first.path.rpartition("/")[2] not in left
