"""What is nearly in the language is understood, or refused with the place and the right form; the rest is words."""

import math
from contextlib import suppress
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import QueryError, QuerySyntaxError
from clipsearch.query import MOST_CHARACTERS, MOST_TERMS, Query, Term, check_query, parse_query
from clipsearch.query.areas import Circle
from clipsearch.query.filters import EXAMPLES, KEYS, MOST_FILTERS, Filter, Pattern, parse_filter
from clipsearch.query.spans import Span
from clipsearch.query.times import Period
from tests.fuzz.budget import examples
from tests.support.refusals import check_refused


def only(key, value, *, is_negated: bool = False) -> Query:
    return Query((), (Filter(key, value, is_negated),))


CIRCLE = only("near", Circle(48.85, 2.35, 10))
YEARS = only("taken", Period(datetime(2019, 1, 1), datetime(2021, 1, 1)))
UNDERSTOOD = {
    "size:>2 MB": only("size", Span(2_000_001, None)),
    "size: > 2MB": only("size", Span(2_000_001, None)),
    "Size:> 2 megabytes": only("size", Span(2_000_001, None)),
    "size:2 MB .. 4 MB": only("size", Span(2_000_000, 4_000_000)),
    "size:>2MiB": only("size", Span(2_097_153, None)),
    "size:=5 bytes": only("size", Span(5, 5)),
    "w:>1000 px": only("w", Span(1001, None)),
    "w:1000px": only("w", Span(1000, 1000)),
    "taken: 2019": only("taken", Period(datetime(2019, 1, 1), datetime(2020, 1, 1))),
    "taken:\u00a02019": only("taken", Period(datetime(2019, 1, 1), datetime(2020, 1, 1))),
    "taken：2019": only("taken", Period(datetime(2019, 1, 1), datetime(2020, 1, 1))),
    "taken:2019 .. 2020": YEARS,
    "taken:2019.. 2020": YEARS,
    "taken:>2019": only("taken", Period(datetime(2020, 1, 1), None)),
    "taken:>= 2019": only("taken", Period(datetime(2019, 1, 1), None)),
    "taken:<2019-05": only("taken", Period(None, datetime(2019, 5, 1))),
    "taken:<=2019": only("taken", Period(None, datetime(2020, 1, 1))),
    "near:48.85,2.35,10 km": CIRCLE,
    "near: 48.85, 2.35, 10km": CIRCLE,
    "near:48.85 2.35 10km": CIRCLE,
    "near:48.85,2.35 10 km": CIRCLE,
    "near:48.85; 2.35": CIRCLE,
    'near:"48.85, 2.35"': CIRCLE,
    'camera: "Nikon D80"': only("camera", Pattern("Nikon D80")),
    "camera:“Nikon D80”": only("camera", Pattern("Nikon D80")),
    'camera:"Nikon+D80"': only("camera", Pattern("Nikon+D80")),
    "path: 2024/*": only("path", Pattern("2024/*")),
    'path:2024/"summer trip"/*': only("path", Pattern("2024/summer trip/*")),
    "path:a+b": only("path", Pattern("a+b")),
    "-path: 2024/*": only("path", Pattern("2024/*"), is_negated=True),
    "type: .JPG": parse_query("type:jpeg"),
    "has: gps": parse_query("has:gps"),
    "id: 5": parse_query("id:5"),
    "image: ./x.jpg": parse_query("./x.jpg"),
    'image: "my x.jpg"': parse_query('image:"my x.jpg"'),
    "./my x.jpg": Query(((Term("picture", "./my x.jpg"),),)),
    "dog camera: canon": parse_query("dog camera:canon"),
    "cat & path:x": parse_query("cat path:x"),
    "path:x & cat & size:>1 & dog": parse_query("cat & dog path:x size:>1"),
    "camera:canon dog": parse_query("dog camera:canon"),
    "camera:canon 3 birds": parse_query('"3 birds" camera:canon'),
    "size:> 2 dogs": parse_query("dogs size:>2"),
    "w:1000 - 3 people + x": Query(
        ((Term("words", "3 people", -1), Term("words", "x")),), (Filter("w", Span(1000, 1000)),)
    ),
    "2:2024/x.jpg": Query(((Term("picture", "2024/x.jpg", 2),),)),
    '2:"3 dogs"': Query(((Term("words", "3 dogs", 2),),)),
    "“black & white” photo": Query(((Term("words", "black & white photo"),),)),
}

# Where, what is said, and the right form that is named.
REFUSED = {
    "size:>2,5MB": (0, "size:>2MB"),
    "size:2-4 MB": (0, "size:500k..2MB"),
    "size:2MB - 4MB": (9, "size:>2MB"),
    "size:1 to 2": (7, "size:>2MB"),
    "size > 2MB": (0, "size:>2MB"),
    "size>2MB": (0, "size:>2MB"),
    "size :>2MB": (0, "size:>2MB"),
    "size:": (0, "size: has no value"),
    "size:<0": (0, "an empty range"),
    "w:1920x1080": (0, "w:>=1000"),
    "w:1920 x 1080": (7, "w:>=1920"),
    "w:1e400": (0, "w:>=1000"),
    "width>=1000": (0, "w:>=1000"),
    "height :100": (0, "did you mean h:"),
    "taken:2019 - 2020": (11, "taken:2024-05..2025"),
    "taken:2019 – 2020": (11, "taken:2024-05..2025"),
    "taken:2019 July": (11, "taken:2024-05..2025"),
    "taken:July 2019": (0, "taken:2024-05..2025"),
    "taken:07/2019": (0, "taken:2024-05..2025"),
    "taken:99999": (0, "taken:2024-05..2025"),
    "taken:<0001": (0, "no day before"),
    "taken : 2019": (0, "write taken:2019"),
    "taken=2019": (0, "write taken:2019"),
    "taken: & cat": (0, "taken: has no value"),
    "near:Narnia": (0, "no place is known as Narnia"),
    "near:48.85,2.35,10 miles": (0, "in km or m"),
    "near:48.85,2.35 10": (16, "near:48.85,2.35,10km"),
    "near:1e999,2": (0, "near:48.85,2.35,10km"),
    "camera:Nikon D80": (13, 'camera:"Nikon D80"'),
    "camera:canon EOS": (13, 'camera:"canon EOS"'),
    "camera:iPhone 12": (14, 'camera:"iPhone 12"'),
    "camera:Nikon+D80": (0, 'camera:"Nikon D80"'),
    "camera=nikon": (0, "write camera:nikon"),
    "dog camera: obscura": (4, "camera:obscura"),
    "the path: a story": (4, "path:a"),
    "path:summer trip/*.jpg": (12, 'path:"summer trip/*.jpg"'),
    'path:"a b': (5, "a quote that is not closed"),
    'path:a"b': (6, "a quote that is not closed"),
    "path: taken:2019": (0, "path: has no value"),
    "path:\u0301": (0, "takes a part of the name"),
    "a new type: rodent": (6, "words with a colon go in quotes"),
    "type=jpg": (0, "write type:jpg"),
    "date:2019": (0, "did you mean taken:"),
    "year: 2019": (0, "did you mean taken:"),
    "before:2019": (0, "did you mean taken:"),
    "folder:x": (0, "did you mean path:"),
    "filename:x.jpg": (0, "did you mean path:"),
    "Ext:jpg": (0, "did you mean type:"),
    "format: jpg": (0, "did you mean type:"),
    "location:Paris": (0, "did you mean place:Paris"),
    "picture:./x.jpg": (0, "did you mean image:"),
    "tag: you are it": (0, "write tag:you, without a blank; words with a colon go in quotes"),
    "title: dog": (0, "write title:dog, without a blank"),
    "tags:cat": (0, "there is no tags: did you mean tag:cat"),
    "takn:2024": (0, "did you mean taken:"),
    "tpye:jpg": (0, "did you mean type:"),
    "camara:nikon": (0, "did you mean camera:"),
    "dog -date:2019": (5, "did you mean taken:"),
    "2:date:2019": (2, "did you mean taken:"),
    "cat + path:x": (4, "a filter takes no +"),
    "cat - path:x": (4, "-path:backup"),
    "cat --path:x": (4, "two signs"),
    "cat OR dog": (4, "dog + cat"),
    "cat AND dog": (4, "dog & snow"),
    "cat NOT dog": (4, "dog - snow"),
    "cat | dog": (4, "dog + cat"),
    "2: cat": (0, "2:cat"),
    "1e400:cat": (0, "a weight lies between"),
    "nan:cat": (0, "a weight lies between"),
    "inf:cat": (0, "a weight lies between"),
    "99999999999999999999:cat": (0, "a weight lies between"),
    "1,5:cat": (0, "a weight lies between"),
    "id:99999999999999999999": (0, "id:42"),
    "id:": (0, "id:42"),
    "image:my photo.jpg": (0, 'image:"my photo.jpg"'),
}
WORDS = (
    "re:zero",
    "star wars: a new hope",
    "Star Wars:a new hope",
    "note: to self",
    "3:2",
    "16:9 wallpaper",
    "10:30",
    "1:18 scale model",
    "Top 10: cats",
    "a smile :)",
    ":) :-) ;) 8) :D <3",
    "today's date: unknown",
    "date: a love story",
    "math:genealogy",
    "token:ring",
    "id: badge",
    "image: a cat",
    "picture: of a cat",
    "format: wide",
    "the type = unknown",
    "type writer",
    "CAT AND DOG",
    "OR gate",
    "cats and dogs or not",
    "size matters",
    "E=mc2",
)


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_what_is_nearly_right_is_understood(text):
    assert parse_query(text) == UNDERSTOOD[text]
    assert parse_query(str(UNDERSTOOD[text])) == UNDERSTOOD[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_nearly_right_is_refused_with_the_right_form(text):
    check_refused(text, *REFUSED[text])


@pytest.mark.parametrize("text", WORDS)
def test_words_with_colons_and_signs_are_words(text):
    found = parse_query(text)
    assert found == Query(((Term("words", text),),))
    assert parse_query(str(found)) == found


def test_every_right_form_is_right():
    assert list(EXAMPLES) == list(KEYS)
    for key, example in EXAMPLES.items():
        assert [filter_.key for filter_ in parse_query(example).filters] == [key]


SIGNS = (":", "：", " : ", ": ", "=", ">", "<", ">= ", "..", " .. ", " - ", " -", "-", ",", ", ", " & ", " + ", " OR ")
VALUES = ("2019", "2019-05", "2 MB", "10km", "px", "48.85", "canon", "D80", "jpg", "gps", "*", "16:9", '"a b"', "“x”")
OTHERS = ("date", "folder", "ext", "id", "image", "x.jpg", "./x", "2:", "a dog", " ", "\u0301")
PARTS = st.sampled_from((*KEYS, *SIGNS, *VALUES, *OTHERS))


@examples(600)
@given(st.lists(PARTS, min_size=2, max_size=9).map("".join))
def test_what_is_understood_is_printed_so_that_it_means_the_same(text):
    try:
        query = parse_query(text)
    except QuerySyntaxError as error:
        assert 0 <= error.position <= len(text)
    else:
        assert parse_query(str(query)) == query


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (" + ".join(["ox"] * (MOST_TERMS + 1)), MOST_TERMS * 5),
        (" & ".join(["ox"] * 800), MOST_TERMS * 5),
        ("w:1 " * 999, MOST_FILTERS * 4),
        ("x" * (MOST_CHARACTERS + 1), MOST_CHARACTERS),
    ],
)
def test_queries_have_limits(text, end):
    with pytest.raises(QuerySyntaxError, match="a query has up to") as caught:
        parse_query(text)
    assert caught.value.position == end


def test_queries_as_long_as_the_limits_are_answered():
    assert len(parse_query(" + ".join(["ox"] * MOST_TERMS)).groups[0]) == MOST_TERMS
    assert len(parse_query("w:1 " * MOST_FILTERS).filters) == MOST_FILTERS
    assert len(parse_query("word " * (MOST_CHARACTERS // 5)).groups[0]) == 1


def test_made_queries_have_the_same_limits():
    term, filter_ = Term("words", "x"), parse_filter("w", "1")
    check_query(Query(((term,),) * MOST_TERMS, (filter_,) * MOST_FILTERS))
    for query in (Query(((term,),) * (MOST_TERMS + 1)), Query((), (filter_,) * (MOST_FILTERS + 1))):
        with pytest.raises(QueryError, match="a query has up to"):
            check_query(query)
    for weight in (math.nan, math.inf, -math.inf, 0.0, 1e-9, 10**30):
        with pytest.raises(QueryError, match="a weight lies between"):
            check_query(Query(((Term("words", "x", weight),),)))


def test_patterns_are_as_long_as_databases_take():
    with pytest.raises(QuerySyntaxError, match="up to 4,096 characters"):
        parse_query("path:" + "x" * 5_000)
    with pytest.raises(QuerySyntaxError, match="up to 4,096 characters"):
        parse_query("camera:" + "\ufdfa" * 300)  # 18 characters each when folded


FILES = {
    "my photo.jpg",
    "./a - b.jpg",
    "size:2.jpg",
    "-x.jpg",
    "16:9.jpg",
    "y.jpg",
    "-y.jpg",
    "caf\udce9 x.png",
    "a/b",
    "cat",
}
BY_FILES = {
    "my photo.jpg": [("my photo.jpg", 1)],
    "2:my photo.jpg": [("my photo.jpg", 2)],
    "image:my photo.jpg": [("my photo.jpg", 1)],
    "./a - b.jpg": [("./a - b.jpg", 1)],
    "size:2.jpg": [("size:2.jpg", 1)],
    "-x.jpg": [("-x.jpg", 1)],
    "16:9.jpg": [("16:9.jpg", 1)],
    "my photo.jpg -y.jpg": [("my photo.jpg", 1), ("y.jpg", -1)],
    "caf\udce9 x.png - y.jpg": [("caf\udce9 x.png", 1), ("y.jpg", -1)],
    "a/b": [("a/b", 1)],
    "dog - my photo.jpg": [("dog", 1), ("my photo.jpg", -1)],
    "cat": [("cat", 1)],
}


@pytest.mark.parametrize("text", BY_FILES)
def test_names_of_files_are_pictures_for_whoever_may_read_them(text):
    (terms,) = parse_query(text, is_file=FILES.__contains__).groups
    assert [(term.value, term.weight) for term in terms] == BY_FILES[text]
    assert [term.kind for term in terms] == ["words" if term.value in ("dog", "cat") else "picture" for term in terms]
    assert parse_query(str(Query((terms,)))) == Query((terms,))


def test_nobody_else_learns_what_files_there_are():
    assert parse_query("my photo.jpg") == parse_query("my photo.jpg", is_file=lambda name: False)
    with pytest.raises(QuerySyntaxError):
        parse_query("size:2.jpg")


LONG = {
    "a letter": "a" * 99_000,
    "words": "a " * 20_000,
    "figures": "1" * 99_000,
    "a size": "size:" + "1" * 90_000,
    "blanks in a size": "size:1" + " " * 90_000 + "x",
    "a place": "near:" + "1 " * 20_000,
    "quotes": "“" * 90_000,
    "quotes in a path": "path:" + "“”" * 2_000,
    "a camera that goes on": "camera:x " + "a1" * 40_000 + "!",
    "ratios": "1:" * 40_000,
    "operators": "OR " * 20_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_texts_are_read(text):
    """None is looked at again and again: a pattern that backtracks would never end."""
    with suppress(QuerySyntaxError):
        found = parse_query(text, is_file=lambda name: False)
        assert parse_query(str(found)) == found
