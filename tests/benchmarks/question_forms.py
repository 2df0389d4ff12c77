"""Forms of questions as people write them, with what each means in the query language."""

import random
from collections.abc import Callable

MONTH_NAMES = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}
_MONTHS = {language: text.split() for language, text in MONTH_NAMES.items()}
_IN = {"en": "in", "de": "im", "fr": "en", "es": "en"}
_SEASONS = {
    "en": ("spring", "summer", "autumn", "winter"),
    "de": ("Frühling", "Sommer", "Herbst", "Winter"),
    "fr": ("printemps", "été", "automne", "hiver"),
    "es": ("primavera", "verano", "otoño", "invierno"),
}
_SINCE = {"en": "since", "de": "seit", "fr": "depuis", "es": "desde"}
_LAST_YEAR = {"en": "last year", "de": "letztes Jahr", "fr": "l'année dernière", "es": "el año pasado"}
_WITHOUT = {"en": "without", "de": "ohne", "fr": "sans", "es": "sin"}
_PEOPLE = {"en": "people", "de": "Menschen", "fr": "gens", "es": "gente"}

CAMERAS = ("Canon EOS 5D", "Apple iPhone 12", "NIKON D90", "SONY ILCE-7M3", "FUJIFILM X-T3", "LEICA Q")
PEOPLE = ("Anna Lee", "Bob", "Clara Schmidt", "María García", "Rose Miller", "Jürgen", "Paul", "Mark", "小明")

Made = tuple[str, str]
"""Words before or after a thing ({} where it stands, else after it), and their meaning in the query language."""


def _month(rng: random.Random, language: str) -> Made:
    month, year = rng.randrange(12), rng.randrange(2005, 2026)
    if language == "zh":
        return f"{year}年{month + 1}月的{{}}", f"taken:{year}-{month + 1:02}"
    of = " de" if language == "es" and rng.random() < 0.5 else ""
    return f"{_IN[language]} {_MONTHS[language][month]}{of} {year}", f"taken:{year}-{month + 1:02}"


def _day(rng: random.Random, language: str) -> Made:
    month, year, day = rng.randrange(12), rng.randrange(2005, 2026), rng.randrange(1, 29)
    meaning = f"taken:{year}-{month + 1:02}-{day:02}"
    if language == "zh":
        return f"{year}年{month + 1}月{day}日的{{}}", meaning
    name = _MONTHS[language][month]
    written = {
        "en": (f"on {name} {day}, {year}", f"{day} {name} {year}"),
        "de": (f"am {day}. {name} {year}", f"{day}.{month + 1}.{year}"),
        "fr": (f"le {day} {name} {year}", f"{day} {name} {year}"),
        "es": (f"el {day} de {name} de {year}", f"{day} de {name} de {year}"),
    }
    return rng.choice(written[language]), meaning


def _season(rng: random.Random, language: str) -> Made:
    season, year = rng.randrange(4), rng.randrange(2005, 2026)
    start, end = f"{year}-{3 + 3 * season:02}", f"{year}-{5 + 3 * season:02}" if season < 3 else f"{year + 1}-02"
    if language == "zh":
        return f"{year}年{'春夏秋冬'[season]}天的{{}}", f"taken:{start}..{end}"
    return f"{_SEASONS[language][season]} {year}", f"taken:{start}..{end}"


def _since(rng: random.Random, language: str) -> Made:
    year = rng.randrange(2005, 2026)
    return f"{_SINCE[language]} {year}", f"taken:>={year}-01-01"


def _last_year(rng: random.Random, language: str) -> Made:
    return _LAST_YEAR[language], "taken:2025"


def _camera(rng: random.Random, language: str) -> Made:
    return rng.choice(
        ((", Canon", "camera:canon"), (", Nikon D90", 'camera:"nikon d90"'), (", iPhone", "camera:iphone"))
    )


def _absence(rng: random.Random, language: str) -> Made:
    return f"{_WITHOUT[language]} {_PEOPLE[language]}", f"- {_PEOPLE[language]}"


def _days(rng: random.Random, language: str) -> Made:
    """Several days of a month."""
    month, year, first = rng.randrange(12), rng.randrange(2005, 2026), rng.randrange(1, 20)
    last = first + rng.randrange(1, 9)
    meaning = f"taken:{year}-{month + 1:02}-{first:02}..{year}-{month + 1:02}-{last:02}"
    if language == "zh":
        return f"{year}年{month + 1}月{first}日到{last}日的{{}}", meaning
    name = _MONTHS[language][month]
    written = {
        "en": (
            f"from {first} to {last} {name} {year}",
            f"{name} {first}-{last} {year}",
            f"{name} {first}-{last}, {year}",
            f"{first}-{last} {name} {year}",
            f"between {name} {first} and {last}, {year}",
        ),
        "de": (f"vom {first}. bis {last}. {name} {year}", f"{first}. bis {last}. {name} {year}"),
        "fr": (f"du {first} au {last} {name} {year}",),
        "es": (f"del {first} al {last} de {name} de {year}",),
    }
    return rng.choice(written[language]), meaning


def _part_of_year(rng: random.Random, language: str) -> Made:
    year, is_late = rng.randrange(2005, 2026), rng.random() < 0.5
    written = {
        "en": (f"early {year}", f"late {year}"),
        "de": (f"Anfang {year}", f"Ende {year}"),
        "fr": (f"début {year}", f"fin {year}"),
        "es": (f"a principios de {year}", f"a finales de {year}"),
        "zh": (f"{year}年初的{{}}", f"{year}年底的{{}}"),
    }
    months = ("09", "12") if is_late else ("01", "04")
    return written[language][is_late], f"taken:{year}-{months[0]}..{year}-{months[1]}"


def _decade(rng: random.Random, language: str) -> Made:
    written = {
        "en": ("in the 1990s", "from the 90s", "90s"),
        "de": ("aus den 90ern", "aus den 1990er Jahren"),
        "fr": ("des années 90", "dans les années 1990"),
        "es": ("de los años 90", "en los años noventa"),
        "zh": ("90年代的{}", "1990年代的{}"),
    }
    return rng.choice(written[language]), "taken:1990..1999"


_PLACES = {
    "en": "in Munich=munich|in Paris=paris|near Barcelona=barcelona|, New York City=new york city|in London=london|in "
    "San Francisco=san francisco|from Lisbon=lisbon|in Nice=nice|, Paris, Texas=paris, texas|in "
    "tokyo=tokyo|berlin=berlin",
    "de": "in München=münchen|in Wien=wien|bei Hamburg=hamburg|aus Köln=köln|in Rom=rom|Berlin=berlin|in "
    "Barcelona=barcelona",
    "fr": "à Paris=paris|à Nice=nice|près de Lyon=lyon|à Londres=londres|, Marseille=marseille|à Saint-Malo=saint-malo",
    "es": "en Barcelona=barcelona|en Madrid=madrid|cerca de Sevilla=sevilla|en Nueva York=nueva york|, Bilbao=bilbao",
    "zh": "在巴黎的{}=巴黎|在北京拍的{}=北京|在上海的{}照片=上海|东京的{}=东京",
}
_COUNTRIES = {
    "en": "in Italy=it|in the Netherlands=nl|in Japan=jp|in Turkey=tr|, Spain=es|from Norway=no|in the USA=us|in "
    "india=in",
    "de": "in Italien=it|in der Schweiz=ch|in Frankreich=fr|aus Spanien=es|in den USA=us|in der Türkei=tr",
    "fr": "en Italie=it|au Japon=jp|aux États-Unis=us|en Allemagne=de|au Maroc=ma",
    "es": "en Italia=it|en Japón=jp|en los Estados Unidos=us|en Alemania=de|en México=mx",
    "zh": "在意大利的{}=it|在日本拍的{}=jp|在法国的{}=fr",
}
_PERSONS = {
    "en": "with Anna=person:anna|with bob=person:bob|with Anna and Bob=person:anna person:bob|"
    'with Clara Schmidt=person:"clara schmidt"|, Anna=person:anna|Anna and a {}=person:anna|without Anna=-person:anna|'
    "with Rose=person:rose",
    "de": "mit Anna=person:anna|mit Anna und Paul=person:anna person:paul|, Jürgen=person:jürgen|ohne "
    "Anna=-person:anna|"
    'mit Clara Schmidt=person:"clara schmidt"',
    "fr": "avec Anna=person:anna|avec Anna et Paul=person:anna person:paul|, Clara=person:clara|sans Paul=-person:paul",
    "es": "con María=person:maría|con Anna y Bob=person:anna person:bob|, María García="
    'person:"maría garcía"|sin Anna=-person:anna',
    "zh": "小明和{}=person:小明|小明的{}照片=person:小明",
}
_RATINGS = {
    "en": ", 5 stars=5|, five stars=5|rated 4 or better=>=4|rated 5 stars=5|best rated {}=5|my favourite photos of "
    "{}=5|my favorites, {}=5|with at least 4 stars=>=4|, 3 stars or more=>=3|, 4+ stars=>=4|five star photos of {}=5",
    "de": ", fünf Sterne=5|, mindestens 4 Sterne=>=4|meine Lieblingsfotos von {}=5|meine Favoriten, {}=5|, 5 Sterne=5|"
    ", 4 Sterne oder mehr=>=4",
    "fr": ", cinq étoiles=5|mes favoris, {}=5|mes photos préférées de {}=5|, au moins 4 étoiles=>=4|, 4 étoiles ou "
    "plus=>=4",
    "es": ", cinco estrellas=5|mis favoritas, {}=5|mis fotos favoritas de {}=5|, al menos 4 estrellas=>=4|"
    ", 4 estrellas o más=>=4",
    "zh": "五星的{}=5|四星以上的{}=>=4|我最喜欢的{}照片=5",
}


def _listed(table: dict[str, str], prefix: str) -> Callable[[random.Random, str], Made]:
    def make(rng: random.Random, language: str) -> Made:
        written, _, meaning = rng.choice(table[language].split("|")).partition("=")
        value = f'"{meaning}"' if prefix == "place:" and not meaning.replace("-", "").isalnum() else meaning
        return written, f"{prefix}{value}"

    return make


_place, _country = _listed(_PLACES, "place:"), _listed(_COUNTRIES, "country:")
_person, _rating = _listed(_PERSONS, ""), _listed(_RATINGS, "rating:")

Phrase = Callable[[random.Random, str], Made]
_DATES: tuple[Phrase, ...] = (_month, _day, _season, _since, _last_year, _days, _part_of_year, _decade)
_CHINESE: tuple[Phrase, ...] = (_month, _day, _season, _days, _part_of_year, _decade)
_OTHERS: tuple[Phrase, ...] = (_place, _place, _country, _person, _person, _rating, _rating)


def make_question(things: list[str], rng: random.Random) -> tuple[str, str]:
    """Make a question and what it means in the query language."""
    language = rng.choice(("en", "en", "de", "fr", "es", "zh"))
    # In another language than English the thing is one word, which could be of any.
    thing = rng.choice([each for each in things if language == "en" or " " not in each])
    if language == "zh":
        written, meaning = rng.choice(_CHINESE + _OTHERS)(rng, language)
        rest = f"{thing}照片" if "照片" in written else thing
        return written.replace("{}", thing), f"{rest} {meaning}"
    chosen = [rng.choice((*_DATES, _camera, _absence, *_OTHERS))]
    if rng.random() < 0.3 and chosen[0] is not _absence:
        chosen.append(_absence)
    elif rng.random() < 0.2 and chosen[0] in _OTHERS:
        chosen.append(rng.choice((_month, _day, _season)))
    made = [each(rng, language) for each in chosen]
    question = thing
    for written, _ in made:
        if "{}" in written:
            question = written.replace("{}", question)
        else:
            question += written if written[0] == "," else f" {written}"
    rest = f"a {thing}" if " a {}" in made[0][0] else thing
    meanings = sorted((meaning for _, meaning in made), key=lambda each: not each.startswith("- "))
    return question, " ".join([rest, *meanings])
