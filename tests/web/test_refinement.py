"""More and less of something, as queries."""

import pytest

from clipsearch.query import Query, Term, parse_query
from clipsearch.web.query_edits import MAX_CHIPS, STEP, chips_of, weigh_picture


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
