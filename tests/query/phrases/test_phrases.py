"""Phrases of plain words: dates, cameras, kinds and absences in five languages, and what stays words."""

import json
import re
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clipsearch.data import BUILT_IN, bank_texts, built_in_labels
from clipsearch.errors import QuerySyntaxError
from clipsearch.paths import sample_data_folder
from clipsearch.query import parse_query
from clipsearch.query.phrases import Context, Phrase, understand
from clipsearch.query.phrases.calendar_words import easter_sunday
from tests.support.phrases import check_stable_meaning

CAMERAS = ("Canon EOS 5D", "Apple iPhone 12", "NIKON D90", "SONY ILCE-7M3", "LEICA Q")
TODAY = date(2026, 11, 27)  # a Friday
THIS_DAY = "taken:--11-27 taken:..2025"
CONTEXT = Context(TODAY, lambda: CAMERAS)


def read(text: str) -> str:
    return understand(text, CONTEXT).text


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "a rocket in July 2023": "a rocket taken:2023-07",
        "rocket July 2023": "rocket taken:2023-07",
        "beach 2019": "beach taken:2019",
        "2019": "taken:2019",
        "photos from 2019": "taken:2019",
        "all my pictures of the summer of 2019": "taken:2019-06..2019-08",
        "a dog in 2019 on a beach": "a dog on a beach taken:2019",
        "15.7.2023 party": "party taken:2023-07-15",
        "2023-07-15": "taken:2023-07-15",
        "2023-07 party": "party taken:2023-07",
        "25/12/2020 tree": "tree taken:2020-12-25",
        "12/25/2020 tree": "tree taken:2020-12-25",
        "July 15, 2023": "taken:2023-07-15",
        "a cake, the 3rd of May 2021": "a cake taken:2021-05-03",
        "dogs since 2020": "dogs taken:2020-01-01..",
        "a cat before March 2021": "a cat taken:..2021-02-28",
        "a cat after March 2021": "a cat taken:2021-04-01..",
        "boats until 2015": "boats taken:..2015-12-31",
        "dog between 2015 and 2018": "dog taken:2015..2018",
        "from May to July 2019 hiking": "hiking taken:2019-05..2019-07",
        "hiking November 2018 to February 2019": "hiking taken:2018-11..2019-02",
        "boats 2015-2018": "boats taken:2015..2018",
        "winter 2019/20 snow": "snow taken:2019-12..2020-02",
        "Christmas 2019": "taken:2019-12-24..2019-12-26",
        "the cake, Easter 2024": "the cake taken:2024-03-29..2024-04-01",
        "turkey Thanksgiving 2023": "turkey taken:2023-11-23",
        "new year's eve 2020 fireworks": "fireworks taken:2020-12-31..2021-01-01",
        "pumpkins Halloween 2021": "pumpkins taken:2021-10-31",
    }.items(),
)
def test_dates(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "yesterday": "taken:2026-11-26",
        "a cake today": "a cake taken:2026-11-27",
        "last summer at the lake": "at the lake taken:2026-06..2026-08",
        "snow last winter": "snow taken:2025-12..2026-02",
        "cake last December": "cake taken:2025-12",
        "cake last November": "cake taken:2025-11",
        "this year": "taken:2026",
        "last year": "taken:2025",
        "last month": "taken:2026-10",
        "last week": "taken:2026-11-16..2026-11-22",
        "last weekend": "taken:2026-11-21..2026-11-22",
        "a boat two years ago": "a boat taken:2024",
        "3 months ago": "taken:2026-08",
        "the last three months": "taken:2026-08-27..2026-11-27",
        "past 10 days": "taken:2026-11-17..2026-11-27",
        "presents last christmas": "presents taken:2025-12-24..2025-12-26",
        "since last summer": "taken:2026-06-01..",
    }.items(),
)
def test_dates_relative_to_today(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "eine Rakete im Juli 2023": "eine Rakete taken:2023-07",
        "Kuchen am 15. März 2021": "Kuchen taken:2021-03-15",
        "letzten Sommer am Strand": "am Strand taken:2026-06..2026-08",
        "Berlin vor 2 Jahren": "Berlin taken:2024",
        "Boote vor 2019": "Boote taken:..2018-12-31",
        "Boote seit 2019": "Boote taken:2019-01-01..",
        "Boote zwischen 2015 und 2018": "Boote taken:2015..2018",
        "Weihnachten 2018": "taken:2018-12-24..2018-12-26",
        "Strand im Juli 2023 ohne Menschen": "Strand - Menschen taken:2023-07",
        "ein Turm im Hochformat": "ein Turm orientation:portrait",
        "une fusée en juillet 2023": "une fusée taken:2023-07",
        "l'été dernier à la plage": "à la plage taken:2026-06..2026-08",
        "la plage l’année dernière": "la plage taken:2025",
        "un bateau il y a deux ans": "un bateau taken:2024",
        "le 14 juillet 2022 à Paris": "à Paris taken:2022-07-14",
        "plage sans gens": "plage - gens",
        "noël 2017": "taken:2017-12-24..2017-12-26",
        "un cohete en julio de 2023": "un cohete taken:2023-07",
        "el verano pasado en la playa": "en la playa taken:2026-06..2026-08",
        "un barco hace dos años": "un barco taken:2024",
        "15 de agosto de 2020 playa": "playa taken:2020-08-15",
        "playa sin gente": "playa - gente",
        "on this day": THIS_DAY,
        "dogs on this day": f"dogs {THIS_DAY}",
        "On this day in history, a rocket": f"a rocket {THIS_DAY}",
        "all my photos on this date": THIS_DAY,
        "Hunde an diesem Tag": f"Hunde {THIS_DAY}",
        "heute vor Jahren": THIS_DAY,
        "ce jour-là, un chien": f"un chien {THIS_DAY}",
        "un perro en este día": f"un perro {THIS_DAY}",
        "tal día como hoy": THIS_DAY,
        "历史上的今天": THIS_DAY,
        "那年今天的狗": f"狗 {THIS_DAY}",
        "on this day taken:2019": "on this day taken:2019",
        "2019年夏天的海滩": "海滩 taken:2019-06..2019-08",
        "2023年7月的火箭": "火箭 taken:2023-07",
        "去年的海滩": "海滩 taken:2025",
        "没有人的海滩": "海滩 - 人",
        "海滩，没有人": "海滩 - 人",
    }.items(),
)
def test_other_languages(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "May flowers",
        "a march of soldiers",
        "winter coat",
        "the last supper",
        "a Canon camera on a table",
        "the rocket, Kodak",
        "Paris Hilton",
        "no parking sign",
        "no smoking",
        "without people",
        "sin city skyline",
        "a man watching videos",
        "a fall in the snow",
        "USA Today newspaper",
        '"July 2023" calendar',
        'a "2019" sign',
        "1:2019 party",
        "cat taken:2019 in July 2023",
        "beach + sea without people",
        "beach - sea, no people",
        "id:42",
        "photo july 2023.jpg",
        "a portrait of a woman",
        "a landscape with a river",
        "31.2.2021 party",
    ],
)
def test_what_stays_words(text):
    understood = understand(text, CONTEXT)
    assert (understood.text, understood.query) == (text, parse_query(text))
    assert not any(phrase.is_applied for phrase in understood.phrases)


@pytest.mark.parametrize(
    "text",
    [
        "海上月亮",
        "晚上周围的灯",
        "目前年龄",
        "2023年春节",
        "海边的无人机",
        "红色无袖连衣裙",
        "有没有猫的照片",
        "写着不要吸烟的牌子",
        "没有人和狗的海滩",
        "man without shirt holding a fish",
        "dog without leash running on the beach",
        "Kinder ohne Schuhe spielen im Sand",
        "beach without people palm trees sunset",
        "beach, no people please",
        "street with no cars no people no bikes",
        "a street without cars, people or bikes",
        "Strand ohne Menschen, Hunde und Autos",
        "a man with or without a beard",
        "bus, no. 42",
        "a sign, no parking",
        "house, not far from the sea",
        "a woman, not looking at the camera",
        "a dog, no, a cat",
        "Nord, Pas de Calais",
        "Doctors Without Borders tent",
        "Schloss Sans Souci",
        "police sans serif",
        "movie sin city",
        "last summer 2019",
        "a year ago today",
        "yesterday and today",
        "beach except 2019",
        "nicht vor 2015",
        "no later than 2015",
        "newer than 2020",
        "Rom vor 2000 Jahren",
        "concert before 2000 people",
        "from 1900 to 2000 meters",
        "1000年古树",
        "2000年历史的古城",
        "last days of Pompeii",
        "last day of school",
        "this may be a cat",
        "this Christmas tree",
        "this winter coat",
        "his last summer",
        "Hund hier",
        "USA Today",
        "Yesterday Beatles",
        "uncle noel 2019",
        "der Mars 2020",
        "fruit, apple, banana",
        "cat, black",
        "pie made with apple",
        "calendar for 2025",
        "poster saying 2023",
        "church built in 2005",
        "Windows 2000",
        "film of oil",
        "raw pictures of meat",
        "the day before yesterday",
        "el fin de semana pasado",
        "summer 2018/19",
        "beach 2015 - 2018",
        "Jan-Mar 2020",
        "2019 and 2020",
        "july and august 2020",
        "taken with Canon EOS R5",
        "sept ans",
        "hier soir",
        "dinner yesterday with friends",
        "Christmas last year",
        "July last year",
        "parties in 2018 and 2019",
    ],
)
def test_what_is_unclear_is_not_applied(text):
    """Parts of longer words, excluded words that go on, lists and ranges that are not understood, dates on things."""
    assert read(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "man without a hat and a woman": "man and a woman - hat",
        "beach without anyone": "beach - people",
        "dog (2019)": "dog taken:2019",
        "dog 2019!": "dog taken:2019",
        "beach (no people)": "beach - people",
        "photos taken today": "taken:2026-11-27",
        "photos taken before 2015": "taken:..2014-12-31",
        "the year 2019": "taken:2019",
        "fotos del año 2019": "taken:2019",
        "à l'été 2019": "taken:2019-06..2019-08",
        "seven years ago": "taken:2019",
        "photos without people in July 2023": "photos without people taken:2023-07",
        "a beach without people at sunset": "a beach at sunset - people",
        "aufgenommen mit dem iPhone": "camera:iphone",
        "Filme vom Strand": "Strand type:film",
        "vidéos du chat": "chat type:film",
    }.items(),
)
def test_what_is_left_reads_well(text, expected):
    assert read(text) == expected


def test_a_winter_that_is_going_on():
    january = Context(date(2026, 1, 15))
    assert understand("this winter", january).text == "taken:2025-12..2026-02"
    assert understand("this winter", CONTEXT).text == "taken:2026-12..2027-02"


@pytest.mark.parametrize(
    ("text", "phrase", "meaning"),
    [
        ("2001 a space odyssey", "2001", "taken:2001"),
        ("class of 2019", "of 2019", "taken:2019"),
        ("a puzzle in 2000 pieces", "in 2000", "taken:2000"),
        ("Mars 2020 rover", "Mars 2020", "taken:2020-03"),
        ("a man with a Canon", "with a Canon", "camera:canon"),
        ("party 3/4/2021", "3/4/2021", "taken:2021-04-03"),
        ("a 1957 Chevrolet", "1957", "taken:1957"),
    ],
)
def test_what_may_be_part_of_the_picture_is_offered(text, phrase, meaning):
    understood = understand(text, CONTEXT)
    assert understood.query == parse_query(text)
    (offered,) = understood.phrases
    assert (offered.text, offered.meaning, offered.is_applied) == (phrase, meaning, False)
    assert parse_query(meaning).filters == parse_query(offered.other).filters


def test_each_phrase_says_how_to_keep_it_as_words():
    understood = understand("a beach in July 2023 without people", CONTEXT)
    assert understood.phrases == (
        Phrase("in July 2023", "taken:2023-07", True, 'a beach "in July 2023" without people'),
        Phrase("without people", "- people", True, 'a beach in July 2023 "without people"'),
    )
    assert read(understood.phrases[0].other) == 'a beach "in July 2023" - people'
    assert read(understood.phrases[1].other) == 'a beach "without people" taken:2023-07'


def test_dates_stay_words_where_no_picture_has_one():
    undated = Context(TODAY, lambda: CAMERAS, lambda: False)
    assert understand("a beach in July 2023, no people", undated).text == "a beach in July 2023 - people"


def test_the_catalog_is_asked_only_for_what_a_query_needs():
    def fail():
        raise AssertionError

    lazy = Context(TODAY, fail, fail)
    assert understand("a dog on a beach", lazy).phrases == ()


def test_texts_that_are_about_pictures_have_no_phrases():
    lines = (sample_data_folder() / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    texts = {*bank_texts(), *(label for name in BUILT_IN for label in built_in_labels(name))}
    texts |= {json.loads(line)["caption"] for line in lines}
    assert len(texts) > 2_000
    assert [text for text in sorted(texts) if _phrases(text)] == []


def _phrases(text: str) -> tuple[Phrase, ...]:
    try:
        return understand(text, CONTEXT).phrases
    except QuerySyntaxError:  # a label may be no query
        return ()


@pytest.mark.parametrize(
    ("year", "expected"), {1961: "04-02", 2000: "04-23", 2008: "03-23", 2024: "03-31", 2038: "04-25"}.items()
)
def test_easter(year, expected):
    assert easter_sunday(year).isoformat() == f"{year}-{expected}"


_PIECES = (
    "a beach in July 2023 2019 , without people no and last summer vor 2 Jahren - + & taken:2020 Canon with from to "
    "15.7.2023 31.2.2021 -path:x id:4 @rex 2:cat é 没有人 去年夏天 l'été dernier . ( ) 99999999 since 0 l' Easter"
)


@given(
    st.lists(st.sampled_from(['"quoted"', *re.split(" ", _PIECES)]), max_size=12).map(" ".join) | st.text(max_size=60)
)
@example("since since 2019")
@example("from 2019 to")
@example("last")
@example("a, no")
def test_any_text_has_a_stable_meaning(text):
    check_stable_meaning(text, CONTEXT)
