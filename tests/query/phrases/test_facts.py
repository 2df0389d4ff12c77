"""Phrases of plain words: places, people and ratings in five languages, and what stays words."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clipsearch.data import BUILT_IN, bank_texts, built_in_labels
from clipsearch.errors import QuerySyntaxError
from clipsearch.query import parse_query
from clipsearch.query.phrases import Context, understand
from tests.support.phrases import check_stable_meaning

PEOPLE = ("Anna Lee", "Bob", "Clara Schmidt", "Rose Miller", "Mark", "María García", "The Smiths", "小明")
CONTEXT = Context(
    date(2026, 11, 27),
    find_people=lambda: PEOPLE,
    find_whether_placed=lambda: True,
    find_whether_rated=lambda: True,
    find_cameras=lambda: ("Canon EOS 5D", "Apple iPhone 12"),
)


def read(text: str) -> str:
    return understand(text, CONTEXT).text


def offered(text: str) -> list[str]:
    understood = understand(text, CONTEXT)
    assert understood.text == text
    return [phrase.meaning for phrase in understood.phrases]


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "a beach in Munich": "a beach place:munich",
        "a beach in munich": "a beach place:munich",
        "beach munich": "beach place:munich",
        "Anna in Paris": "person:anna place:paris",
        "sunset, New York City": 'sunset place:"new york city"',
        "München am Abend": "am Abend place:münchen",
        "plage à Nice": "plage place:nice",
        "playa en Barcelona": "playa place:barcelona",
        "在巴黎的照片": "place:巴黎",
        "东京的日落": "日落 place:东京",
        "a dog in Paris, Texas": 'a dog place:"paris, texas"',
        "a dog in Paris Texas": 'a dog place:"paris, texas"',
        "a church in Italy": "a church country:it",
        "une église en Italie": "une église country:it",
        "eine Kirche in der Schweiz": "eine Kirche country:ch",
        "在意大利的教堂": "教堂 country:it",
        "a cat in the US": "a cat country:us",
        "Eiffel Tower in Paris": "Eiffel Tower place:paris",
        "a street in New York with a dog": 'a street with a dog place:"new york"',
        "photos of Munich": "place:munich",
        "Munich 2019": "place:munich taken:2019",
        "2019年在巴黎的照片": "taken:2019 place:巴黎",
        "和Clara海滩": "海滩 person:clara",
        "和Anna Lee的 sunset": 'sunset person:"anna lee"',
        "在巴塞罗那和Bob sunset": "sunset place:巴塞罗那 person:bob",
        "和Clara2021年的海滩": "海滩 person:clara taken:2021",
        "和Zoe海滩": "和Zoe海滩",
        "a rocket, Canon, 5 stars": "a rocket camera:canon rating:5",
        "a rocket, iPhone, 2 Sterne": "a rocket camera:iphone rating:2",
        "fruit, apple, banana": "fruit, apple, banana",
    }.items(),
)
def test_places(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize("text", ["my favourites", "mes favoris", "meine Favoriten", "我的最爱"])
def test_favourites_of_the_catalog_go_before_the_best_rated(text):
    favoured = replace(CONTEXT, find_whether_favoured=lambda: True)
    assert understand(text, favoured).text == "album:favourites"
    assert understand(text, CONTEXT).text == "rating:5"
    assert understand(text, replace(CONTEXT, find_whether_rated=lambda: False)).text == text


@pytest.mark.parametrize(
    "text",
    [
        "Paris Hilton",
        "a Turkey sandwich",
        "china plate",
        "french fries",
        "Brussels sprouts",
        "Berlin wall",
        "Hamburger",
        "New York cheesecake",
        "a Panama hat",
        "Boston terrier",
        "Yorkshire terrier",
        "Persian rug",
        "Dalmatian",
        "in bath",
        "in Orange",
        "near Lake Garda",
        "tea in china",
        "a beach in nice weather",
        "a slice of New York pizza",
        "a woman in white",
        "a photo in sepia",
        "a red Toyota",
        "Batman",
        "Pizza im Ofen",
        "en primer plano",
        "London and Paris",
        "意大利面",
        "在海边的房子",
    ],
)
def test_what_is_no_place_is_not_even_offered(text):
    assert offered(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "made in China": ["country:cn"],
        "a flag of Italy": ["country:it"],
        "a man from India": ["country:in"],
        "Jack London": ["place:london"],
        "people in Paris and Rome": ["place:paris"],
        "意大利的国旗": ["country:it"],
    }.items(),
)
def test_what_may_be_a_place_is_offered(text, expected):
    assert offered(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "Anna on the beach": "on the beach person:anna",
        "Anna and Bob at dinner": "at dinner person:anna person:bob",
        "a photo of Anna": "person:anna",
        "anna and a dog": "a dog person:anna",
        "a dog with Anna in a garden": "a dog in a garden person:anna",
        "Clara Schmidt dancing": 'dancing person:"clara schmidt"',
        "una playa con Maria Garcia": 'una playa person:"maria garcia"',
        "ein Foto von Anna und Bob": "person:anna person:bob",
        "小明在海边": "在海边 person:小明",
        "a beach without Anna": "a beach -person:anna",
        "Strand ohne Anna": "Strand -person:anna",
        "without Anna": "-person:anna",
        "a beach without Anna and dogs": "a beach - dogs -person:anna",
        "a cake with Rose": "a cake person:rose",
    }.items(),
)
def test_people(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "Anna or Bob": ["person:anna person:bob"],
        "Anna Karenina": ["person:anna"],
        "Santa Anna": ["person:anna"],
        "the house of Anna": ["person:anna"],
        "a cake for Anna": ["person:anna"],
        "Rose garden": ["person:rose"],
        "Strand mit Rose": ["person:rose"],
        "dinner with rose": ["person:rose"],
        "Anna's birthday": [],
        "a rose": [],
        "a mark on the wall": [],
        "the beach": [],
        "小明的狗": ["person:小明"],
    }.items(),
)
def test_names_that_may_be_something_else_stay_words(text, expected):
    assert offered(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "five star photos": "rating:5",
        "5 stars": "rating:5",
        "a dog, five stars": "a dog rating:5",
        "photos with 5 stars": "rating:5",
        "a dog rated 4 or better": "a dog rating:>=4",
        "4+ star photos of a dog": "a dog rating:>=4",
        "4 or more stars": "rating:>=4",
        "best rated": "rating:5",
        "my favourites": "rating:5",
        "my favorites of Anna": "rating:5 person:anna",
        "fünf Sterne": "rating:5",
        "Fünf-Sterne-Fotos": "rating:5",
        "Hund, mindestens 4 Sterne": "Hund rating:>=4",
        "mes favoris": "rating:5",
        "un chien, au moins 3 étoiles": "un chien rating:>=3",
        "cinco estrellas": "rating:5",
        "五星": "rating:5",
        "四星以上的照片": "rating:>=4",
    }.items(),
)
def test_ratings(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "four-star hotel",
        "five star hotel",
        "hôtel cinq étoiles",
        "a star",
        "starry sky",
        "stars in the sky",
        "star fish",
        "my favourite mug",
        "五星红旗",
        "五星级酒店",
        "我最喜欢的杯子",
    ],
)
def test_other_stars_and_favourites_stay_words(text):
    assert offered(text) == []


def test_stars_on_a_thing_are_offered():
    assert offered("a flag with five stars") == ["rating:5"]


def test_a_name_that_is_a_word_is_offered_alone():
    assert offered("Rose") == ["person:rose"]
    assert offered("George Washington") == ["place:washington"]  # a region after a name, without a comma


def test_what_the_catalog_has_none_of_stays_words():
    empty = Context(date(2026, 11, 27))
    for text in ("a beach in Munich", "Anna on the beach", "5 stars", "my favourites", "在巴黎的照片", "五星"):
        assert understand(text, empty).phrases == ()


def test_several_places_or_ratings_are_offered():
    assert read("a dog in Munich, a cat in Rome") == "a dog in Munich, a cat in Rome"
    assert read("5 stars, 4 stars") == "5 stars, 4 stars"


def test_the_other_choice_is_the_query_as_words():
    (place,) = understand("a beach in Munich", CONTEXT).phrases
    assert (place.text, place.other) == ("in Munich", 'a beach "in Munich"')
    assert understand(place.other, CONTEXT).query == parse_query(place.other)


def test_texts_that_are_about_pictures_keep_their_words():
    texts = {*bank_texts(), *(label for name in BUILT_IN for label in built_in_labels(name))}
    assert [text for text in sorted(texts) if _is_changed(text)] == []


def _is_changed(text: str) -> bool:
    try:
        return read(text) != text
    except QuerySyntaxError:  # a label may be no query
        return False


_PIECES = (
    "a dog in Munich , Paris Texas Anna and Bob or Clara Schmidt Rose with without of the US Italy near 5 stars rated "
    "4+ at least my favourites best five-star photos 在巴黎的照片 小明 五星 from 3 to July 2019 early 90s - + & no 'l "
    '( ) "quoted"'
)


@given(st.lists(st.sampled_from(_PIECES.split()), max_size=12).map(" ".join))
@example("Anna and")
@example("with")
@example("in the")
@example("at least")
def test_any_text_has_a_stable_meaning(text):
    check_stable_meaning(text, CONTEXT)
