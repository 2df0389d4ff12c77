"""Names to places."""

import pytest

from clipsearch.places import is_ambiguous, look_up, mention


def first(name):
    place = look_up(name)[0]
    return place.name, place.kind, place.country_code


@pytest.mark.parametrize(
    "name", ["Munich", "München", "MÜNCHEN", "munchen", "Muenchen", "Monaco di Baviera", "慕尼黑", "Мюнхен", " Munich "]
)
def test_a_city_is_found_in_any_language(name):
    assert first(name) == ("Munich", "city", "DE")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Bavaria", ("Bavaria", "region", "DE")),
        ("Bayern", ("Bavaria", "region", "DE")),
        ("Bavière", ("Bavaria", "region", "DE")),
        ("巴伐利亚", ("Bavaria", "region", "DE")),
        ("Toscana", ("Tuscany", "region", "IT")),
        ("California", ("California", "region", "US")),
        ("Germany", ("Germany", "country", "DE")),
        ("Allemagne", ("Germany", "country", "DE")),
        ("德国", ("Germany", "country", "DE")),
        ("de", ("Germany", "country", "DE")),
        ("USA", ("United States", "country", "US")),
        ("Aix-en-Provence", ("Aix-en-Provence", "city", "FR")),
        ("aix en provence", ("Aix-en-Provence", "city", "FR")),
        ("St. Louis", ("St. Louis", "city", "US")),
        ("NYC", ("New York City", "city", "US")),
        ("Hallstatt", ("Hallstatt", "city", "AT")),
        ("6th of October City", ("6th of October City", "city", "EG")),
    ],
)
def test_regions_countries_and_towns_are_found(name, found):
    assert first(name) == found


def test_the_most_populous_comes_first():
    people = [place.population for place in look_up("Paris") if place.name == "Paris"]
    assert people == sorted(people, reverse=True)
    assert first("Paris") == ("Paris", "city", "FR")


def test_the_main_name_of_a_place_comes_before_other_names_of_larger_ones():
    assert first("Zaragoza") == ("Zaragoza", "city", "ES")
    assert first("Londres") == ("London", "city", "GB")


def test_a_great_city_comes_before_its_region_of_the_same_name():
    assert [place.kind for place in look_up("New York")][:2] == ["city", "region"]
    assert look_up("Luxembourg")[0].kind == "country"


@pytest.mark.parametrize(
    "name", ["Paris, Texas", "Paris, TX", "paris/texas", "Paris, Texas, USA", "PARIS,us", "Paris, USA"]
)
def test_a_region_or_country_qualifies_a_city(name):
    place = look_up(name)[0]
    assert (place.name, place.region, place.country_code) == ("Paris", "Texas", "US")


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ",",
        "/",
        "xyzzyqq",
        "Paris, Bavaria",
        "Paris, xyzzyqq",
        "~tx",
        "~",
        "x" * 10_000,
        "Paris" + ", US" * 99,
        "\ud800",
        "Mun\udcffich",
        "Paris, \udcff",
        "\0",
        "12345",
        "...",
        "a" * 400 + ",de",
    ],
)
def test_what_is_no_name_finds_nothing(name):
    assert look_up(name) == ()


@pytest.mark.parametrize("code", ["MUC", "CDG", "tx", "deu"])
def test_codes_of_airports_regions_and_three_letters_are_no_names(code):
    assert not [place for place in look_up(code) if place.population > 100_000]


@pytest.mark.parametrize(
    ("text", "start", "length", "name"),
    [
        ("in new york city at night", 1, 3, "New York City"),
        ("Munich", 0, 1, "Munich"),
        ("snow in Monaco di Baviera", 2, 3, "Munich"),
        ("paris texas", 0, 2, "Paris"),
        ("a house in Portland, Oregon", 3, 2, "Portland"),
        ("rio de janeiro beach", 0, 3, "Rio de Janeiro"),
        ("beach in california", 2, 1, "California"),
    ],
)
def test_the_longest_name_is_mentioned(text, start, length, name):
    found = mention(text.split(), start)
    assert (found.length, found.place.name, found.is_ambiguous) == (length, name, False)


@pytest.mark.parametrize("words", [[], [""], ["a"], ["xyzzyqq"], [","], ["snowman"], ["\udcff"]])
def test_no_place_is_mentioned(words):
    assert mention(words) is None or mention(words).is_ambiguous
    assert mention(words, len(words)) is None


@pytest.mark.parametrize(
    "name",
    [
        "nice",
        "reading",
        "bath",
        "mobile",
        "orange",
        "split",
        "nancy",
        "florence",
        "sydney",
        "charlotte",
        "austin",
        "cork",
        "most",
        "man",
        "many",
        "same",
        "of",
        "best",
        "male",
        "bar",
        "bad",
        "essen",
        "us",
        "de",
        "in",
    ],
)
def test_words_and_names_of_people_are_ambiguous(name):
    assert is_ambiguous(name)
    found = mention([name])
    assert found is None or found.is_ambiguous


@pytest.mark.parametrize("name", ["Munich", "Paris", "London", "Tokyo", "Germany", "Bavaria", "北京", "Barcelona"])
def test_great_names_are_not_ambiguous(name):
    assert not mention([name]).is_ambiguous


def test_a_qualified_name_is_not_ambiguous():
    assert not mention(["nice,", "france"]).is_ambiguous
    assert mention(["nice", "picture"]).is_ambiguous
