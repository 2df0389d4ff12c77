"""Concepts are taught, searched for, changed and forgotten."""

import pytest
from PIL import Image

from clipsearch import (
    Catalog,
    CatalogNotFoundError,
    Concept,
    ImageReadError,
    InputError,
    QueryError,
    UnknownConceptError,
    UnknownPictureError,
)
from clipsearch.concepts import collection

pytestmark = pytest.mark.usefixtures("colours")

REDS = {f"red{shade}": (255 - shade, shade // 2, 0) for shade in (0, 20, 40)}
BLUES = {f"blue{shade}": (0, shade // 2, 255 - shade) for shade in (0, 20, 40)}
GREENS = {f"green{shade}": (0, 255 - shade, shade // 2) for shade in (0, 20, 40)}


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in (REDS | BLUES | GREENS).items():
        Image.new("RGB", (16, 12), colour).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def catalog(photos, tmp_path):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


def id_of(catalog, name):
    return next(hit.content_id for hit in catalog.search(f"path:{name}.png"))


def first(catalog, query, top_k=3):
    return [hit.path.rpartition("/")[2].removesuffix(".png") for hit in catalog.search(query, top_k=top_k)]


def test_examples_are_files_ids_and_hits(catalog, photos):
    (hit,) = catalog.search("path:red40.png")
    made = catalog.concepts.add("Rex", [photos / "red0.png", f"id:{id_of(catalog, 'red20')}", hit])
    assert made.name == "rex" and made.words == "Rex"
    assert made.positives == tuple(id_of(catalog, name) for name in ("red0", "red20", "red40"))
    assert made.negatives == ()
    assert catalog.concepts.get("@REX") == made and catalog.concepts.list() == [made]
    assert isinstance(made, Concept)


def test_what_was_taught_is_found(catalog, photos):
    catalog.concepts.add("x1", [photos / "red0.png", photos / "red20.png"])
    catalog.concepts.add("x2", [photos / "blue0.png", photos / "blue20.png"])
    assert set(first(catalog, "@x1")) == set(REDS)
    assert set(first(catalog, "@x2")) == set(BLUES)
    hits = catalog.search("@x1", top_k=9)
    assert hits[0].relevance > 0.5 > hits[-1].relevance


def test_a_concept_is_a_term_like_any_other(catalog, photos):
    catalog.concepts.add("x1", [photos / "red0.png"])
    assert first(catalog, "@x1 path:blue*", top_k=9) == first(catalog, "path:blue* @x1", top_k=9)
    assert {name[:4] for name in first(catalog, "@x1 path:blue*", top_k=9)} == {"blue"}
    assert not {name[:3] for name in first(catalog, "green - @x1")} & {"red"}
    assert first(catalog, "0.5:@x1", 9) == first(catalog, "@x1", 9)
    (hit,) = catalog.search("blue + 0.01:@x1", top_k=1, explain=True)
    assert [term.term for term in hit.terms] == ["blue", "0.01:@x1"]
    assert catalog.match("@x1", hit.content_id).score < catalog.match("blue", hit.content_id).score
    assert catalog.search("@x1 & blue", top_k=1)
    assert catalog.search_page("@x1", page_size=2).hits[0].path == catalog.search("@x1")[0].path


def test_words_and_pictures_are_both_learnt_from(catalog, photos):
    catalog.concepts.add("x1", [photos / "red0.png"], words="blue")
    catalog.concepts.add("x2", [photos / "red0.png"], words="")
    (with_words,), (alone,) = (catalog.search(f"@{name} path:blue0.png") for name in ("x1", "x2"))
    assert with_words.score > alone.score
    assert catalog.concepts.get("x2").words is None


def test_more_examples_and_other_words_change_what_is_found(catalog, photos):
    catalog.concepts.add("x1", [photos / "red0.png"])
    assert first(catalog, "@x1", 1) == ["red0"]
    catalog.concepts.add("x1", [photos / "blue0.png"])
    catalog.concepts.remove_examples("x1", [photos / "red0.png"])
    assert first(catalog, "@x1", 1) == ["blue0"]
    # A picture is an example or none: the last word counts.
    changed = catalog.concepts.add("x1", [photos / "green0.png"], negatives=[photos / "blue0.png"], words="green")
    assert changed.positives == (id_of(catalog, "green0"),) and changed.negatives == (id_of(catalog, "blue0"),)
    assert changed.words == "green" and catalog.concepts.add("x1", words=None).words == "green"
    assert first(catalog, "@x1", 1) == ["green0"]


def test_what_is_excluded_sinks(catalog, photos):
    catalog.concepts.add("x1", [photos / "red0.png", photos / "blue0.png"], words="")
    (before,) = catalog.search("@x1 path:blue20.png")
    catalog.concepts.add("x1", negatives=[photos / "blue0.png", photos / "blue40.png"])
    (after,) = catalog.search("@x1 path:blue20.png")
    assert after.relevance < before.relevance and after.score < before.score


def test_another_model_learns_from_the_same_examples(catalog, photos):
    catalog.concepts.add("x1", [photos / "red0.png"])
    before = first(catalog, "@x1")
    catalog.use_model("colours-2")
    assert catalog.model.name == "colours-2"
    assert first(catalog, "@x1") == before


def test_an_unknown_name_is_answered_with_near_ones(catalog, photos):
    with pytest.raises(UnknownConceptError, match=r"saved search @rex: teach it with 'clipsearch concept add rex"):
        catalog.search("@rex")
    catalog.concepts.add("rex", [photos / "red0.png"])
    with pytest.raises(
        UnknownConceptError,
        match=r"saved search @rox: did you mean @rex\? \(words with an @ go in quotes",
    ):
        catalog.search("beach + @rox")
    for ask in (catalog.concepts.get, lambda name: catalog.concepts.remove_examples(name, [1])):
        with pytest.raises(UnknownConceptError, match=r"no concept @rox: did you mean @rex\?$"):
            ask("rox")
        with pytest.raises(
            UnknownConceptError, match=r"teach it with 'clipsearch concept add beach PICTURE...'; known are @rex$"
        ):
            ask("beach")
    assert catalog.search('"@rox"') and catalog.search("me@rox.com")


def test_a_heat_map_shows_where_a_concept_is(catalog, photos):
    catalog.concepts.add("x1", [photos / "red0.png", photos / "red20.png"])
    picture = Image.new("RGB", (64, 64), "blue")
    for corner, place in (((0, 0), (0.25, 0.25)), ((32, 32), (0.75, 0.75))):
        shown = picture.copy()
        shown.paste("red", (*corner, corner[0] + 32, corner[1] + 32))
        found = catalog.heat_map(shown, "@X1")
        assert found.peak == pytest.approx(place, abs=0.13)
        assert found.scores.max() > 0.5 > found.level
    with pytest.raises(UnknownConceptError, match="@x2"):
        catalog.heat_map(picture, "@x2")
    (hit,) = catalog.search("path:red0.png")
    assert catalog.heat_map(hit, "@x1").score == pytest.approx(catalog.heat_map(photos / "red0.png", "@x1").score)


def test_a_removed_concept_is_gone(catalog, photos):
    catalog.concepts.add("rex", [photos / "red0.png"])
    assert catalog.concepts.remove("@Rex") is True
    assert catalog.concepts.remove("rex") is False
    assert catalog.concepts.list() == []
    with pytest.raises(UnknownConceptError):
        catalog.search("@rex")


def test_a_concept_without_its_last_example_says_so(catalog, photos):
    catalog.concepts.add("rex", [photos / "red0.png"], words="")
    assert catalog.concepts.remove_examples("rex", [photos / "red0.png"]) == 1
    with pytest.raises(QueryError, match="@rex has no picture that the model knows"):
        catalog.search("@rex")


@pytest.mark.parametrize("name", ["", "@", "a b", "a.b", "-a", "_a", "a@b", "x" * 65, "a\0", 'a"', "☂"])
def test_names_that_no_query_could_hold(catalog, photos, name):
    with pytest.raises(InputError, match="invalid name of a concept"):
        catalog.concepts.add(name, [photos / "red0.png"])


@pytest.mark.parametrize("name", ["rex", "Grandma-s_house2", "Straße", "हिन्दी", "写真", "e\u0301t\u00e9", "42"])
def test_names_of_all_scripts(catalog, photos, name):
    made = catalog.concepts.add(name, [photos / "red0.png"])
    assert first(catalog, f"@{name}", 1) == first(catalog, f"@{made.name}", 1) == ["red0"]


@pytest.mark.parametrize(
    ("name", "words"), [("red-panda", "red panda"), ("our_house", "our house"), ("x", None), ("p42", None)]
)
def test_a_name_that_may_be_words_describes_the_concept(catalog, photos, name, words):
    assert catalog.concepts.add(name, [photos / "red0.png"]).words == words


def test_what_is_no_example(catalog, photos, tmp_path):
    add = catalog.concepts.add
    Image.new("RGB", (16, 12), (9, 9, 9)).save(tmp_path / "other.png")
    with pytest.raises(InputError, match=r"other\.png is not in the catalog: index its folder first"):
        add("rex", [tmp_path / "other.png"])
    with pytest.raises(InputError, match="no such picture"):
        add("rex", ["nothing.png"])
    with pytest.raises(ImageReadError, match="can't read the picture"):
        add("rex", [tmp_path])
    with pytest.raises(QueryError, match="is a URL"):
        add("rex", ["https://example.com/a.jpg"])
    for number in (999, 0, -1, 1 << 80, "id:999"):
        with pytest.raises(UnknownPictureError):
            add("rex", [number])
    with pytest.raises(QueryError, match="at least one picture of @rex"):
        add("rex", negatives=[1])
    with pytest.raises(QueryError, match="id:1 can't be an example and none"):
        add("rex", [1, 2], negatives=[1])
    with pytest.raises(QueryError, match="not valid text"):
        add("rex", [1], words="\udcff")
    assert catalog.concepts.list() == []


def test_a_concept_has_so_many_examples(catalog, monkeypatch):
    monkeypatch.setattr(collection, "MOST_EXAMPLES", 3)
    catalog.concepts.add("rex", [1, 2], negatives=[3])
    assert catalog.concepts.add("rex", negatives=[2]).positives == (1,)
    with pytest.raises(QueryError, match="up to 3 examples, not 4"):
        catalog.concepts.add("rex", [4])


def test_nothing_is_taught_before_pictures_are_indexed(tmp_path):
    with Catalog.open(tmp_path / "new", model="colours", create=True) as new, pytest.raises(CatalogNotFoundError):
        new.concepts.add("rex", [1])


def test_examples_stay_until_their_content_is_collected(catalog, photos):
    kept, removed = id_of(catalog, "red0"), id_of(catalog, "red20")
    catalog.concepts.add("rex", [kept, removed], words="")
    (photos / "red20.png").unlink()
    catalog.index(photos)
    assert catalog.concepts.get("rex").positives == (kept, removed)
    assert set(first(catalog, "@rex", 2)) == {"red0", "red40"}
    assert catalog.admin.collect_garbage(dry_run=True).pictures == 1
    assert catalog.concepts.get("rex").positives == (kept, removed)
    assert catalog.admin.collect_garbage().pictures == 1
    assert catalog.concepts.get("rex").positives == (kept,)
    assert first(catalog, "@rex", 1) == ["red0"]


def test_a_backup_has_the_concepts(catalog, photos, tmp_path):
    from clipsearch import restore_catalog

    made = catalog.concepts.add("rex", [photos / "red0.png"], negatives=[photos / "blue0.png"])
    catalog.admin.backup(tmp_path / "copy.sqlite3")
    catalog.concepts.remove("rex")
    restore_catalog(tmp_path / "copy.sqlite3", tmp_path / "again")
    with Catalog.open(tmp_path / "again", model="colours") as again:
        assert again.concepts.get("rex") == made
