"""The language of queries: what each is taken for, where errors point to, and that nothing is lost when printed."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import QuerySyntaxError
from clipsearch.query import Query, Term, parse_query
from clipsearch.query.areas import Circle
from clipsearch.query.filters import (
    BLURRED_BELOW,
    DARK_BELOW,
    KEYS,
    WRITTEN,
    Choice,
    Filter,
    Pattern,
)
from clipsearch.query.spans import Length, Span
from clipsearch.query.times import DayOfYear, Period
from clipsearch.text import fold_words
from tests.fuzz.budget import examples


def words(text: str, weight: float = 1.0) -> Term:
    return Term("words", text, weight)


def picture(path: str, weight: float = 1.0) -> Term:
    return Term("picture", path, weight)


def one(*terms: Term) -> Query:
    return Query((terms,))


def only(key: str, value, *, is_negated: bool = False) -> Query:
    return Query((), (Filter(key, value, is_negated),))


DAY = datetime

EXAMPLES = {
    # words
    "a glazed donut": one(words("a glazed donut")),
    "  a \t glazed\ndonut ": one(words("a glazed donut")),
    "rock-n-roll": one(words("rock-n-roll")),
    "R&B": one(words("R&B")),
    "C++": one(words("C++")),
    "16 September": one(words("16 September")),
    "meet at 5:30": one(words("meet at 5:30")),
    "Star Wars: a new hope": one(words("Star Wars: a new hope")),
    "Fußball im Schnee": one(words("Fußball im Schnee")),
    "雪の中の犬": one(words("雪の中の犬")),
    "what is that?": one(words("what is that?")),
    "(brackets) [are] {words}": one(words("(brackets) [are] {words}")),
    # quotes
    '"golden retriever"': one(words("golden retriever")),
    '"black & white" photo': one(words("black & white photo")),
    'an "a - b" sign': one(words("an a - b sign")),
    '"16:9 monitor"': one(words("16:9 monitor")),
    '"./not a path.jpg"': one(words("./not a path.jpg")),
    r'"say \"cheese\""': one(words('say "cheese"')),
    r'"back\\slash"': one(words("back\\slash")),
    '"taken:2024"': one(words("taken:2024")),
    # signs and weights
    "dog + snow": one(words("dog"), words("snow")),
    "dog - snow": one(words("dog"), words("snow", -1)),
    "dog -snow": one(words("dog"), words("snow", -1)),
    "dog +snow -people in red": one(words("dog"), words("snow"), words("people in red", -1)),
    "+ dog": one(words("dog")),
    "- snow + dog": one(words("snow", -1), words("dog")),
    "2:dog - 0.5:snow": one(words("dog", 2), words("snow", -0.5)),
    ".25:dog": one(words("dog", 0.25)),
    "1.5:golden retriever": one(words("golden retriever", 1.5)),
    '2:"golden retriever" + cat': one(words("golden retriever", 2), words("cat")),
    '"golden retriever" + 2:./pool.jpg - snow': one(
        words("golden retriever"), picture("./pool.jpg", 2), words("snow", -1)
    ),
    # pictures
    "./pool.jpg": one(picture("./pool.jpg")),
    "../a/b": one(picture("../a/b")),
    "/photos/x": one(picture("/photos/x")),
    "~/x.png": one(picture("~/x.png")),
    "pool.jpeg": one(picture("pool.jpeg")),
    "POOL.HEIC": one(picture("POOL.HEIC")),
    r"C:\photos\x": one(picture(r"C:\photos\x")),
    "https://example.org/a?b=c": one(picture("https://example.org/a?b=c")),
    "pool.jpg at night": one(picture("pool.jpg"), words("at night")),
    "at night pool.jpg": one(words("at night"), picture("pool.jpg")),
    "a.jpg b.jpg": one(picture("a.jpg"), picture("b.jpg")),
    "image:cat": one(picture("cat")),
    'image:"my cat.jpg" - dog': one(picture("my cat.jpg"), words("dog", -1)),
    "version 1.2 of it": one(words("version 1.2 of it")),
    # numbers of pictures
    "id:42": one(Term("id", "42")),
    "3:id:007 - cat": one(Term("id", "7", 3), words("cat", -1)),
    # groups
    "dog & snow": Query(((words("dog"),), (words("snow"),))),
    "dog - cat & 2:snow + ice & x.png": Query(
        ((words("dog"), words("cat", -1)), (words("snow", 2), words("ice")), (picture("x.png"),))
    ),
    # filters
    "path:holiday": only("path", Pattern("holiday")),
    "-path:*.png": only("path", Pattern("*.png"), is_negated=True),
    "PATH:holiday": only("path", Pattern("holiday")),
    'camera:"Canon EOS"': only("camera", Pattern("Canon EOS")),
    "taken:2024": only("taken", Period(DAY(2024, 1, 1), DAY(2025, 1, 1))),
    "taken:2024-02": only("taken", Period(DAY(2024, 2, 1), DAY(2024, 3, 1))),
    "taken:2024-12-31": only("taken", Period(DAY(2024, 12, 31), DAY(2025, 1, 1))),
    "taken:2024-05..2025": only("taken", Period(DAY(2024, 5, 1), DAY(2026, 1, 1))),
    "taken:..2023-05": only("taken", Period(None, DAY(2023, 6, 1))),
    "taken:--07-04": only("taken", DayOfYear(7, 4)),
    "taken: --7": only("taken", DayOfYear(7)),
    "taken:--02-29": only("taken", DayOfYear(2, 29)),
    "taken:2023..": only("taken", Period(DAY(2023, 1, 1), None)),
    "near:48.85,2.35,10km": only("near", Circle(48.85, 2.35, 10)),
    "near:-33.9,151.2": only("near", Circle(-33.9, 151.2, 10)),
    "near:0,0,500m": only("near", Circle(0, 0, 0.5)),
    "type:jpg": only("type", Choice("jpeg")),
    "type:HEIC": only("type", Choice("heif")),
    "size:>2MB": only("size", Span(2_000_001, None)),
    "size:<=500k": only("size", Span(None, 500_000)),
    "size:1.5MB..2GB": only("size", Span(1_500_000, 2_000_000_000)),
    "w:1920": only("w", Span(1920, 1920)),
    "w:>=1000 h:<1000": Query((), (Filter("w", Span(1000, None)), Filter("h", Span(None, 999)))),
    "w:100..200": only("w", Span(100, 200)),
    '2:"black|white"': Query(((words("black|white", 2),),)),
    "sharp:>40": only("sharp", Span(41, None)),
    "-is:blurred": only("sharp", Span(None, BLURRED_BELOW - 1), is_negated=True),
    "bright:10..20": only("bright", Span(10, 20)),
    "is:dark": only("bright", Span(None, DARK_BELOW - 1)),
    "length:2min..1h": only("length", Length(120_000, 3_600_000)),
    "rating:>=4": only("rating", Span(4, None)),
    "rating:3..5": only("rating", Span(3, 5)),
    "rating:5 stars": only("rating", Span(5, 5)),
    "tag:holiday": only("tag", Pattern("holiday")),
    'person:"Anna Lee"': only("person", Pattern("Anna Lee")),
    "label:red": only("label", Pattern("red")),
    "title:harbour*": only("title", Pattern("harbour*")),
    "creator:anna": only("creator", Pattern("anna")),
    'album:"Italy 2023"': only("album", Pattern("Italy 2023")),
    "is:favorite": only("album", Pattern("favourites")),
    "near:paris": only("near", Circle(48.85341, 2.3488, 10.0)),
    "near:paris,500m": only("near", Circle(48.85341, 2.3488, 0.5)),
    'near:"new york, 25 km"': only("near", Circle(40.71427, -74.00597, 25.0)),
    "place:munich": only("place", Pattern("munich")),
    'place:"monaco di baviera"': only("place", Pattern("monaco di baviera")),
    "country:de": only("country", Choice("de")),
    "country:Deutschland": only("country", Choice("de")),
    "country:德国": only("country", Choice("de")),
    "country:USA": only("country", Choice("us")),
    "has:place": only("has", Choice("place")),
    'written:"summer camp"': only("written", Pattern("summer camp")),
    'text:"RE16"': only("text", Pattern("RE16")),
    "has:tags": only("has", Choice("tags")),
    "kind:receipt": only("kind", Choice("receipt")),
    'kind:"receipt"': only("kind", Choice("receipt")),
    '-kind:"receipt"': only("kind", Choice("receipt"), is_negated=True),
    "kind:Screenshots": only("kind", Choice("screenshot")),
    "is:blackboard": only("kind", Choice("whiteboard")),
    "orientation:portrait": only("orientation", Choice("portrait")),
    "-has:gps": only("has", Choice("gps"), is_negated=True),
    "a dog taken:2024 in the snow": Query(
        ((words("a dog in the snow"),),), (Filter("taken", Period(DAY(2024, 1, 1), DAY(2025, 1, 1))),)
    ),
    "dog path:x - cat": Query(((words("dog"), words("cat", -1)),), (Filter("path", Pattern("x")),)),
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_what_is_written_is_what_is_meant(text):
    assert parse_query(text) == EXAMPLES[text]
    assert parse_query(str(EXAMPLES[text])) == EXAMPLES[text]


ERRORS = {
    "": (0, "the query is empty"),
    " \n": (0, "the query is empty"),
    "dog +": (4, "nothing follows the +"),
    "dog & - & cat": (6, "nothing follows the -"),
    "& dog": (0, "nothing stands before the &"),
    "dog &": (4, "nothing follows the &"),
    "dog --cat": (5, "two signs"),
    "- snow": (6, "only excluded terms"),
    'dog "open': (4, "a quote that is not closed"),
    'camera:"open': (7, "a quote that is not closed"),
    'dog ""': (4, "the quotes are empty"),
    "dog takn:2024": (4, "there is no takn:"),
    "2:path:x": (2, "a filter takes no weight"),
    "0:dog": (0, "a weight lies between 0.001 and 1000"),
    "dog + 5000:cat": (6, "a weight lies between"),
    "id:seven": (0, "id: takes the number of a picture"),
    "taken:2024-13": (0, "taken: there is no day 2024-13"),
    "taken:--02-30": (0, "taken: there is no day --02-30"),
    "taken:--13": (0, "taken: there is no month --13"),
    "taken:--07-04..--08-01": (0, "taken: a day or a month of every year stands alone"),
    "taken:>--07-04": (0, "taken: takes a year"),
    "taken:--07-04 2019": (14, "taken: seems to go on here"),
    "taken:yesterday": (0, "taken: takes a year"),
    "taken:2025..2024": (0, "taken: an empty range"),
    "taken:..": (0, "taken: an empty range"),
    "dog near:91,0": (4, "near: latitudes lie between"),
    "near:Xyzzyburg": (0, "near: no place is known as Xyzzyburg"),
    "near:bavaria": (0, "near: bavaria is a region: write place:bavaria for all of it"),
    "near:paris,0km": (0, "near: the distance must be greater than 0"),
    "near:1": (0, "near: takes a latitude"),
    "country:narnia": (0, "country: takes a country, as in country:it or country:italy, not narnia"),
    "country:paris": (0, "country: takes a country"),
    "size:big": (0, "size: takes a number"),
    "w:200..100": (0, "w: 200..100 is an empty range"),
    "orientation:up": (0, "orientation: takes portrait, landscape or square, not up"),
    "type:docx": (0, "type: takes"),
    "rating:6": (0, "rating: goes from 0 to 5"),
    "rating:good": (0, "rating: takes a number or a range"),
    "stars:5": (0, "there is no stars: did you mean rating:5"),
    "keyword:beach": (0, "there is no keyword: did you mean tag:beach"),
    "face:anna": (0, "there is no face: did you mean person:anna"),
    "tag=beach": (0, "a filter has a colon: write tag:beach"),
    "length:>2days": (0, "length: takes a number or a range"),
    "length:>2min <5min": (13, "length: another limit is another filter, as in length:>60 length:<2min"),
    "duration:>60": (0, "there is no duration: did you mean length:>60"),
    "longer:60": (0, "there is no longer: did you mean length:>60"),
    "path:*": (0, "path: takes a part"),
}


@pytest.mark.parametrize("text", ERRORS)
def test_errors_point_at_the_place(text):
    position, message = ERRORS[text]
    with pytest.raises(QuerySyntaxError) as caught:
        parse_query(text)
    assert str(caught.value).startswith(message)
    assert caught.value.position == position
    assert f"at character {position + 1}: " in str(caught.value) or text[position:].strip() == ""


def test_every_filter_stands_in_an_example():
    assert {filter_.key for query in EXAMPLES.values() for filter_ in query.filters} == set(KEYS)


TEXTS = st.text(min_size=1, max_size=12).filter(str.strip) | st.sampled_from(
    ["a dog", "./x.jpg", "-", "& b", 'say "x"', "2:3", "taken:2024", "a  b", " a", "\\", "http://x"]
)
WEIGHTS = st.sampled_from([1.0, -1.0]) | st.floats(0.001, 1000) | st.floats(-1000, -0.001)
TERMS = st.one_of(
    st.builds(Term, st.just("words"), TEXTS, WEIGHTS),
    st.builds(Term, st.just("picture"), TEXTS, WEIGHTS),
    st.builds(Term, st.just("id"), st.integers(0, 10**18 - 1).map(str), WEIGHTS),
)
DAYS = st.dates().map(lambda day: datetime(day.year, day.month, day.day)).filter(lambda day: day < DAY(9999, 1, 1))
SPANS = st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)).map(sorted)
SHARES = st.tuples(st.integers(0, 100), st.integers(0, 100)).map(sorted)
VALUES = {
    "path": TEXTS.map(str.strip).filter(lambda text: text.strip("*")).map(Pattern),
    "camera": TEXTS.map(str.strip).filter(lambda text: text.strip("*")).map(Pattern),
    "taken": st.lists(DAYS, min_size=2, max_size=2, unique=True).map(lambda days: Period(*sorted(days)))
    | st.builds(DayOfYear, st.integers(1, 12), st.none() | st.integers(1, 29)),
    "near": st.builds(
        Circle,
        st.integers(-90_000, 90_000).map(lambda value: value / 1000),
        st.integers(-180_000, 180_000).map(lambda value: value / 1000),
        st.integers(1, 10**7).map(lambda value: value / 1000),
    ),
    "type": st.sampled_from(["jpeg", "png", "heif"]).map(Choice),
    "size": SPANS.map(lambda span: Span(*span)),
    "w": SPANS.map(lambda span: Span(span[0], None)),
    "h": SPANS.map(lambda span: Span(None, span[0])),
    "sharp": SHARES.map(lambda span: Span(*span)),
    "bright": SHARES.map(lambda span: Span(None, span[1])),
    "length": SPANS.map(lambda span: Length(span[0], None)),
    "country": st.sampled_from(["de", "it", "us"]).map(Choice),
    "rating": st.sampled_from([Span(4, None), Span(None, 2), Span(5, 5)]),
    **dict.fromkeys(WRITTEN, TEXTS.map(str.strip).filter(lambda text: text.strip("*")).map(Pattern)),
    **dict.fromkeys(("written", "text"), TEXTS.map(str.strip).filter(fold_words).map(Pattern)),
    "orientation": st.just(Choice("square")),
    "kind": st.sampled_from(["receipt", "screenshot"]).map(Choice),
    "has": st.just(Choice("gps")),
}
FILTERS = st.sampled_from(KEYS).flatmap(lambda key: st.builds(Filter, st.just(key), VALUES[key], st.booleans()))
GROUPS = st.lists(TERMS, min_size=1, max_size=4).filter(lambda group: any(term.weight > 0 for term in group)).map(tuple)


@examples(400)
@given(st.builds(Query, st.lists(GROUPS, max_size=3).map(tuple), st.lists(FILTERS, max_size=3).map(tuple)))
def test_what_is_printed_means_the_same(query):
    if query.groups or query.filters:
        assert parse_query(str(query)) == query


@examples(400)
@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from(["a", "+", "-", "&", '"', ":", "2:", "path:", " ", "\\", ".jpg"])).map("".join)
)
def test_any_text_is_a_query_or_an_error(text):
    try:
        query = parse_query(text)
    except QuerySyntaxError as error:
        assert 0 <= error.position <= len(text)
    else:
        assert parse_query(str(query)) == query


@pytest.mark.parametrize(
    ("text", "shown"),
    {
        "length:>60": "length:60.001..",
        "length:<=2min": "length:..120",
        "length:1min..1h": "length:60..3600",
        "length: 0.25 s": "length:0.25",
        "length:..1500ms": "length:..1.5",
        "length:>99999999999999999999999h": f"length:{99999999999999999999999 * 3600}.001..",
        "type:MKV": "type:matroska",
        "type:.mov": "type:mp4",
        "type:mts": "type:mpeg-ts",
        "type:document": "type:pdf",
        "type:psb": "type:psd",
        "type:icns": "type:icns",
    }.items(),
)
def test_lengths_and_types_are_formatted_as_they_are_parsed(text, shown):
    parsed = parse_query(text)
    assert str(parsed) == shown
    assert parse_query(shown) == parsed


def test_each_container_of_films_is_a_type():
    from clipsearch.formats import FILM_FORMATS
    from clipsearch.images.films.container import FORMATS

    assert set(FORMATS.values()) == FILM_FORMATS
    assert all(parse_query(f"type:{name}").filters for name in FILM_FORMATS)
