"""Pictures found by the text that was read in them, among those found by what they show."""

import sqlite3
from contextlib import closing

import pytest

from clipsearch import Catalog
from clipsearch.description import Description
from clipsearch.errors import QueryError
from clipsearch.ocr.lines import TextLine
from clipsearch.store import Store
from clipsearch.store.texts import ReadText
from tests.search.test_written import COLOURS, catalog, describe, names
from tests.web.conftest import client_of

__all__ = ["catalog"]

QUERIES = ("red", "a red square", "blue", "green and blue", "the lime photo")


def with_lines(hits):
    return [hit for hit in hits if hit.line is not None]


def read(directory, texts: dict[str, list[str]]) -> None:
    """Store lines that were read in files, by the names of these."""
    with Store(directory) as store:
        ids = {path.decode(): content_id for rows in store.column_rows.files() for _, content_id, _, path in rows}
        store.texts.record(
            [
                ReadText(
                    ids[name],
                    [TextLine(line, 0.99, (0.1, 0.1 * row, 0.5, 0.1 * row + 0.1)) for row, line in enumerate(lines)],
                )
                for name, lines in texts.items()
            ],
            reader="made",
        )


def test_filters_find_parts_of_words_in_any_script(catalog):
    read(catalog.directory, {"03.png": ["Platform RE16", "nach Köln"], "04.png": ["第一章 北京"], "05.png": []})
    describe(catalog.directory, {"06.png": Description(title="Platform")})
    for query, expected in {
        "text:RE16": ["03.png"],
        "text:form": ["03.png"],
        "text:koln": ["03.png"],
        'text:"RE16 nach"': ["03.png"],
        "text:一": ["04.png"],
        "text:北京": ["04.png"],
        "text:nothing": [],
        "has:text": ["03.png", "04.png"],
        "has:text -text:RE16": ["04.png"],
        "written:platform": ["06.png"],
        "written:RE16": [],
    }.items():
        assert sorted(names(catalog.search(query))) == expected, query
    assert len(catalog.search("-has:text", top_k=50)) == len(COLOURS) - 2


def test_changes_are_followed_in_an_open_catalog(catalog):
    assert catalog.search("has:text") == [] and catalog.search("text:sale") == []
    read(catalog.directory, {"03.png": ["Summer sale"]})
    assert names(catalog.search("has:text")) == names(catalog.search("text:sale")) == ["03.png"]
    read(catalog.directory, {"03.png": [], "04.png": ["Sale"]})
    assert names(catalog.search("has:text")) == names(catalog.search("text:sale")) == ["04.png"]


@pytest.mark.parametrize("options", [{}, {"diverse": True}, {"sort": "name"}, {"min_relevance": 0.3}, {"top_k": 3}])
def test_without_the_words_hits_are_the_same(catalog, options):
    read(catalog.directory, {f"{number:02}.png": ["Invoice", "Total amount"] for number in range(8)})
    for query in QUERIES:
        assert catalog.search(query, **options) == catalog.search(query, written=False, **options)


@pytest.mark.parametrize("query", ["red", "blue", "a red square"])
def test_what_was_read_never_comes_before_what_is_likely_shown(catalog, query):
    plain = catalog.search(query, top_k=len(COLOURS), written=False)
    likely = [hit.content_id for hit in plain if hit.relevance >= 0.3]
    assert likely
    others = [hit.path.rpartition("/")[2] for hit in plain if hit.relevance < 0.3]
    read(catalog.directory, {name: [f"{query} sale"] for name in others[-3:]})
    found = catalog.search(query, top_k=len(COLOURS))
    assert [hit.content_id for hit in found[: len(likely)]] == likely
    assert sorted(names(found[len(likely) : len(likely) + 3])) == sorted(others[-3:])
    assert [hit.content_id for hit in found if hit.path.rpartition("/")[2] not in others[-3:]] == [
        hit.content_id for hit in plain if hit.path.rpartition("/")[2] not in others[-3:]
    ]


@pytest.mark.parametrize("query", ["red", "a red square", "total"])
def test_a_longer_list_begins_as_a_shorter_one(catalog, query):
    read(catalog.directory, {f"{number:02}.png": [f"{query} sale"] for number in (2, 5, 7, 9)})
    longest = [hit.content_id for hit in catalog.search(query, top_k=len(COLOURS))]
    for top_k in range(1, len(COLOURS)):
        assert [hit.content_id for hit in catalog.search(query, top_k=top_k)] == longest[:top_k]


def test_many_with_the_words_keep_to_a_relevance_that_is_asked_for(catalog):
    few = {f"{number:02}.png": ["total"] for number in range(3)}
    read(catalog.directory, few)
    assert len(with_lines(catalog.search("total", min_relevance=0.999, top_k=50))) == 3
    read(catalog.directory, {f"{number:02}.png": ["total"] for number in range(len(COLOURS))})
    assert with_lines(catalog.search("total", min_relevance=0.999, top_k=50)) == []
    assert len(with_lines(catalog.search("total", sort="name", top_k=50))) == len(COLOURS)


def test_frequent_words_in_pictures_do_not_hide_what_people_wrote(catalog, monkeypatch):
    monkeypatch.setattr("clipsearch.search.written.MOST_MATCHES", 4)
    describe(catalog.directory, {"08.png": Description(title="Invoice")})
    read(catalog.directory, {f"{number:02}.png": ["Invoice 7"] for number in range(6)})
    first, *others = catalog.search("invoice")
    assert names([first]) == ["08.png"] and first.written == "Invoice"
    assert with_lines(others) == []


def test_each_filter_quotes_its_own_words(catalog):
    read(catalog.directory, {"07.png": ["Locker 07", "Eur 5", "Thank you"]})
    describe(catalog.directory, {"07.png": Description(title="Locker room")})
    (hit,) = catalog.search("text:locker")
    assert (hit.written, hit.line.text) == ("Locker 07", "Locker 07")
    (hit,) = catalog.search("written:locker")
    assert (hit.written, hit.line) == ("Locker room", None)
    (hit,) = catalog.search('text:"eur 5 thank"')
    assert hit.line.text == "Eur 5"
    assert catalog.match("text:locker", hit.content_id).line.text == "Locker 07"
    assert catalog.match("red text:locker", hit.content_id).line.text == "Locker 07"


def test_what_nothing_shows_is_found_in_the_text_and_the_line_is_told(catalog):
    read(catalog.directory, {"07.png": ["Invoice 4711", "Total amount 99.50"], "08.png": ["total"]})
    (hit,) = with_lines(catalog.search("total amount"))
    assert hit.path.endswith("07.png") and hit.written == "Total amount 99.50"
    assert hit.line == TextLine("Total amount 99.50", 0.99, (0.1, 0.1, 0.5, 0.2))
    (across,) = with_lines(catalog.search("4711 total"))  # from one line into the next
    assert across.path.endswith("07.png") and across.line is not None
    assert catalog.match("total amount", hit.content_id).line == hit.line
    plain, *_ = catalog.search("text:4711")
    assert plain.line is not None and plain.line.text == plain.written == "Invoice 4711"


def test_what_people_wrote_comes_before_what_was_read(catalog):
    read(catalog.directory, {"07.png": ["Grand Hotel"]})
    describe(catalog.directory, {"08.png": Description(title="Grand Hotel")})
    first, *others = catalog.search("grand hotel")
    assert names([first]) == ["08.png"] and first.written == "Grand Hotel" and first.line is None
    assert names(with_lines(others)) == ["07.png"]


def test_the_api_and_the_page_have_the_text(catalog):
    read(catalog.directory, {"07.png": ["Invoice <b>4711</b>", "Total amount"]})
    client = client_of(catalog)
    hits = client.get("/api/search", params={"q": "total amount"}).json()["hits"]
    (hit,) = [hit for hit in hits if hit["line"]]
    assert hit["line"] == {
        "text": "Total amount",
        "confidence": 0.99,
        "script": "latin",
        "page": None,
        "box": [0.1, 0.1, 0.5, 0.2],
    }
    lines = client.get(f"/api/items/{hit['id']}/text").json()
    assert [line["text"] for line in lines] == ["Invoice <b>4711</b>", "Total amount"]
    assert client.get("/api/items/77/text").status_code == 404
    page = client.get(f"/pictures/{hit['id']}", params={"q": "total amount"}).text
    assert "Read in the picture" in page and "Text in the picture" in page and "<b>4711" not in page
    assert 'class="crop"' in page and 'x="10.0" y="10.0" width="40.0"' in page
    assert "Text in the picture" not in client.get("/pictures/1").text
    assert (
        '<span class="relevance" aria-hidden="true">text</span>' in client.get("/", params={"q": "total amount"}).text
    )


def test_text_takes_words(catalog):
    with pytest.raises(QueryError, match="text: takes words, or a part of one"):
        catalog.search('text:"!"')


def test_exports_have_no_text(catalog, tmp_path):
    read(catalog.directory, {"07.png": ["Secret 4711"]})
    catalog.export(tmp_path / "out.parquet")
    assert b"Secret" not in (tmp_path / "out.parquet").read_bytes()


def tell(directory, kinds: dict[str, str | None]) -> None:
    """Store kinds of files, by the names of these; of those with a kind lines, too, but for whiteboards."""
    with Store(directory) as store:
        ids = {path.decode(): content_id for rows in store.column_rows.files() for _, content_id, _, path in rows}
        line = [TextLine("Total 7.50", 0.99, (0.1, 0.1, 0.5, 0.2))]
        found = [ReadText(ids[name], [] if kind == "whiteboard" else line, kind) for name, kind in kinds.items()]
        store.texts.record(found, reader="made")


def test_kinds_are_filters_and_facets(catalog):
    assert catalog.search("kind:receipt") == [] and catalog.pictures.facets().written.kinds == {}
    tell(catalog.directory, {"03.png": "receipt", "04.png": "receipt", "05.png": "whiteboard", "06.png": None})
    for query, expected in {
        "kind:receipt": ["03.png", "04.png"],
        "kind:receipts": ["03.png", "04.png"],
        "kind:blackboard": ["05.png"],
        "kind:document": [],
        "has:text": ["03.png", "04.png", "06.png"],
        "has:text -kind:receipt": ["06.png"],
        "kind:receipt text:total": ["03.png", "04.png"],
    }.items():
        assert sorted(names(catalog.search(query))) == expected, query
    assert catalog.pictures.facets().written.kinds == {"receipt": 2, "whiteboard": 1}
    assert catalog.pictures.facets("kind:receipt").written.kinds == {"receipt": 2}
    # What other models read may be of another kind, or of none.
    tell(catalog.directory, {"03.png": None, "05.png": "document"})
    assert names(catalog.search("kind:receipt")) == ["04.png"] and names(catalog.search("kind:document")) == ["05.png"]
    with pytest.raises(QueryError, match="there is no kind: did you mean type:jpeg"):
        catalog.search("kind:jpeg")


def test_kinds_are_read_from_the_file_of_columns(catalog):
    tell(catalog.directory, {"03.png": "receipt", "05.png": "whiteboard"})
    catalog.admin.reindex()
    with Catalog.open(catalog.directory) as other:
        assert names(other.search("kind:receipt")) == ["03.png"]
        assert other.pictures.facets().written.kinds == {"receipt": 1, "whiteboard": 1}


def test_unknown_kinds_of_a_foreign_catalog_are_left_out(catalog):
    tell(catalog.directory, {"03.png": "receipt", "05.png": "document"})
    with closing(sqlite3.connect(catalog.directory / "catalog.sqlite3")) as database, database:
        database.execute("UPDATE texts SET kind = 'nonsense' WHERE kind = 'document'")
        database.execute("UPDATE texts SET kind = x'ff' WHERE kind = 'receipt'")
        database.execute("UPDATE contents SET changed = NULL")
    with Catalog.open(catalog.directory) as other:
        assert other.pictures.facets().written.kinds == {} and other.search("kind:document") == []


def test_kinds_on_the_page_and_in_the_api(catalog):
    client = client_of(catalog)
    assert 'name="kind"' not in client.get("/").text
    tell(catalog.directory, {"03.png": "receipt", "05.png": "whiteboard"})
    client = client_of(catalog)
    assert "<bdi>receipt</bdi> <small>1</small>" in client.get("/").text
    page = client.get("/", params={"kind": "receipt"}).text
    assert "03.png" in page and "05.png" not in page
    assert client.get("/", params={"kind": "jpeg"}).status_code == 400
    (hit,) = catalog.search("kind:whiteboard")
    assert catalog.pictures.kind(hit.content_id) == "whiteboard"
    assert (
        '<dt>Kind</dt><dd><a class="name" href="/?q=kind%3Awhiteboard"'
        in client.get(f"/pictures/{hit.content_id}").text
    )
    assert client.get("/api/facets").json()["kinds"] == {"receipt": 1, "whiteboard": 1}
    hits = client.get("/api/search", params={"q": "kind:whiteboard"}).json()["hits"]
    assert [hit["name"] for hit in hits] == ["05.png"]
