"""More and less of something, as queries and as marks."""

import re
from html import unescape

import pytest

from clipsearch import NarrowerQuery, Suggestions
from clipsearch.query import Query, Term, parse_query
from clipsearch.search.feedback import MOST_MARKS
from clipsearch.web.page_query import PageQuery
from clipsearch.web.query_edits import MAX_CHIPS, STEP, chips_of, weigh_picture
from clipsearch.web.search_view import mark_links


@pytest.mark.parametrize(
    ("query", "change", "expected"),
    [
        ("a dog", STEP, "a dog + 0.5:id:7"),
        ("a dog", -STEP, "a dog - 0.5:id:7"),
        ("a dog + 0.5:id:7", STEP, "a dog + id:7"),
        ("a dog + id:7", -STEP, "a dog + 0.5:id:7"),
        ("a dog + 0.5:id:7", -STEP, "a dog"),
        ("a dog - 0.5:id:7 taken:2024", STEP, "a dog taken:2024-01-01..2024-12-31"),
        ("id:7", STEP, "1.5:id:7"),
        ("id:7", -STEP, "0.5:id:7"),
        ("0.5:id:7", -STEP, None),
        ("0.5:id:7 type:png", -STEP, "type:png"),
        ("type:png", STEP, "0.5:id:7 type:png"),
        ("type:png", -STEP, None),
        ("a dog & snow", STEP, "a dog + 0.5:id:7 & snow"),
        ("id:8 - id:9", -STEP, "id:8 - id:9 - 0.5:id:7"),
        ("a dog + 5:id:7", STEP, "a dog + 5:id:7"),
    ],
)
def test_a_picture_weighs_more_or_less(query, change, expected):
    found = weigh_picture(parse_query(query), 7, change)
    assert found == (None if expected is None else parse_query(expected))


def test_words_alone_have_no_chips():
    assert chips_of(parse_query("a dog in the snow taken:2024")) == []


def test_a_chip_for_each_term_with_what_its_buttons_ask_for():
    first, second, third = chips_of(parse_query("a dog - 0.5:id:7 & 2:snow type:png"))
    assert [(chip.text, chip.weight, chip.content_id) for chip in (first, second, third)] == [
        ("a dog", 1.0, None),
        ("id:7", -0.5, 7),
        ("snow", 2.0, None),
    ]
    assert str(second.more) == "a dog & 2:snow type:png"
    assert str(second.less) == "a dog - id:7 & 2:snow type:png"
    assert str(second.without) == "a dog & 2:snow type:png"
    assert str(first.more) == "1.5:a dog - 0.5:id:7 & 2:snow type:png"
    assert first.without is None  # nothing that is wanted would be left of that part
    assert str(third.without) == "a dog - 0.5:id:7 type:png"


def test_every_button_leads_to_a_query_that_can_be_read():
    for text in ("id:3", "2:a dog + image:upload-0123456789abcdef - 0.5:id:4", "a & b - c & 5:d"):
        for chip in chips_of(parse_query(text)):
            for query in (chip.less, chip.more, chip.without):
                assert query is None or parse_query(str(query)) == query


def test_chips_stay_few_however_many_terms_there_are():
    query = Query((tuple(Term("words", f"word {number}") for number in range(800)),))
    assert len(chips_of(query)) == MAX_CHIPS


@pytest.mark.parametrize(
    "q",
    [
        "+".join([" ox "] * 31),
        " + ".join(["ö" * 120] * 31),
        " & ".join(["\U0001f600" * 100] * 31),
        "id:1 + " + "ö" * 3_900,
        " + ".join(f"{number}:id:{number}" for number in range(1, 32)),
    ],
)
def test_a_page_stays_small_whatever_is_asked_for(client, q):
    answer = client.get("/", params={"q": q})
    assert answer.status_code == 200 and len(answer.content) < 700_000
    assert 'href="/pictures/1' in answer.text


@pytest.mark.parametrize(
    ("more", "less", "kind", "expected"),
    [
        ((), (), "more", ((7,), ())),
        ((3,), (9,), "less", ((3,), (9, 7))),
        ((3, 7), (), "more", ((3,), ())),
        ((3, 7), (), "less", ((3,), (7,))),
        ((), (7, 9), "less", ((), (9,))),
        ((), (7, 9), "more", ((7,), (9,))),
    ],
)
def test_a_thumb_marks_a_picture_and_takes_the_mark_back(more, less, kind, expected):
    before = PageQuery(q="a dog", type="png", more=more, less=less)
    after = before.mark(7, kind)
    assert (after.more, after.less) == expected and (after.q, after.type) == ("a dog", "png")


def test_marks_are_in_the_address():
    assert PageQuery(q="a dog", more=(3, 7), less=(9,)).url() == "/?q=a+dog&more=3&more=7&less=9"
    assert PageQuery(q="a dog", more=(3,)).url("/results", after="x") == "/results?q=a+dog&more=3&after=x"


def ids_of(text: str) -> list[int]:
    return [int(number) for number in re.findall(r'class="picture"[^>]* data-id="(\d+)"', text)]


def links_of(text: str, label: str) -> list[str]:
    return [unescape(url) for url in re.findall(rf'<a [^>]*href="([^"]*)"[^>]*aria-label="{label}', text)]


def test_pictures_marked_on_the_page_change_its_results_and_can_be_unmarked(client):
    plain = client.get("/", params={"q": "an animal"}).text
    first, second, *_ = shown = ids_of(plain)
    less = next(url for url in links_of(plain, "Less of ") if url.endswith(f"less={first}"))
    without = client.get(less).text
    assert first not in ids_of(without) and sorted([first, *ids_of(without)])[:39] == sorted(shown)[:39]
    assert "Marked pictures" in without and links_of(without, "Undo less of ") == ["/?q=an+animal"]
    more = next(url for url in links_of(without, "More of ") if f"more={second}&" in url)
    both = client.get(more).text
    assert ids_of(both)[0] == second and 'aria-current="true"' in both
    assert {"/?q=an+animal"} == set(re.findall(r'class="all" href="([^"]*)"', both))
    assert client.get(links_of(both, "Undo less of ")[0]).text.count("Undo less of ") == 0


def test_marks_alone_find_pictures_and_need_no_words(client):
    text = client.get("/", params={"more": [3, 5]}).text
    assert {*ids_of(text)[:2]} == {3, 5} and "% relevant" in text.replace("&nbsp;", " ")
    assert 3 not in ids_of(client.get("/", params={"less": 3}).text)


def test_marks_of_pictures_that_are_not_there_are_dropped(client):
    text = client.get("/", params={"q": "an animal", "more": [99_999, 3], "less": 88_888}).text
    assert "Undo more of" in text and "99999" not in text and "88888" not in text


def test_a_picture_is_matched_as_its_tile_says(client):
    parameters = {"q": "an animal", "more": 3, "less": 5}
    tile = re.search(r'data-id="3" aria-label="[^"]*, (\d+)', client.get("/", params=parameters).text)
    detail = client.get("/pictures/3", params=parameters).text
    assert tile is not None and f"<strong>{tile[1]}&nbsp;%</strong> relevant" in detail
    assert 'aria-label="Undo more of this"' in detail and 'aria-label="Less of this"' in detail
    assert ">Add to the query<" in detail and 'aria-label="Exclude this from the query"' in detail


@pytest.mark.parametrize(
    "marks", [{"more": "x"}, {"less": 0}, {"more": list(range(1, MOST_MARKS + 2))}, {"more": 1 << 62}]
)
def test_marks_that_are_no_ids_are_refused(client, marks):
    assert client.get("/", params={"q": "an animal"} | marks).status_code == 422


def test_a_page_with_all_marks_stays_small_and_offers_no_more(client):
    text = client.get("/", params={"q": "an animal", "more": list(range(1, 21)), "less": list(range(21, 31))}).text
    assert len(text) < 700_000 and links_of(text, "More of ")
    every = PageQuery(q="an animal", more=tuple(range(1, MOST_MARKS + 1)))
    assert mark_links(7_000, every) == (None, None)
    assert mark_links(7, every)[0] is not None  # it can be taken back


def test_suggestions_of_a_query_are_links(client, catalog):
    text = client.get("/suggestions", params={"q": "a dog", "type": "jpeg", "more": 3}).text
    related = catalog.suggestions("a dog type:jpeg").related
    assert related and [unescape(url) for url in re.findall(r'href="([^"]*)"', text)][-len(related) :] == [
        PageQuery(q=label, type="jpeg").url() for label in related
    ]
    assert 'aria-label="Related searches"' in text
    assert client.get("/suggestions", params={"q": 'a "dog'}).text.strip() == ""
    assert 'hx-get="/suggestions?q=a+dog"' in client.get("/", params={"q": "a dog"}).text
    assert "/suggestions" not in client.get("/").text


def test_a_label_narrows_the_query_and_keeps_filters_and_marks(client, monkeypatch, catalog):
    found = Suggestions(None, (NarrowerQuery("snow & ice", 'a dog & "snow & ice"', 3),), ())
    monkeypatch.setattr(catalog, "suggestions", lambda query, pictures: found)
    text = client.get("/suggestions", params={"q": "a dog", "type": "jpeg", "more": 3}).text
    assert (
        unescape(re.findall(r'href="([^"]*)"', text)[0])
        == PageQuery(q='a dog & "snow & ice"', type="jpeg", more=(3,)).url()
    )
    assert 'aria-label="snow &amp; ice, 3 pictures"' in text
