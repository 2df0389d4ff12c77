"""Questions as people ask them: python -m tests.benchmarks.questions [--count 400] [--labels LABELS.jsonl]

Each question is the name of a thing with a date, a camera, a kind of file, an absence, or two of these, in one of five
languages, in the forms that people write. Counted is how many are rewritten to exactly the filters and excluded
terms that are meant and to the thing alone, the time of a question, and how many texts about pictures (labels of the
bundled sets, the bank, captions of --labels) have phrases that are applied, which nobody meant.
"""

import argparse
import json
import random
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter

from clipsearch.data import BUILT_IN, bank_texts, built_in_labels
from clipsearch.errors import QuerySyntaxError
from clipsearch.query import parse_query
from clipsearch.query.phrases import Context, understand
from tests.benchmarks.measuring import print_table

_TODAY = date(2026, 11, 27)
_CAMERAS = ("Canon EOS 5D", "Apple iPhone 12", "NIKON D90", "SONY ILCE-7M3", "FUJIFILM X-T3", "LEICA Q")
_MONTH_NAMES = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}
_MONTHS = {language: text.split() for language, text in _MONTH_NAMES.items()}
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

_WRITTEN_CAMERAS = ((", Canon", "camera:canon"), (", Nikon D90", 'camera:"nikon d90"'), (", iPhone", "camera:iphone"))

Made = tuple[str, str]
"""A phrase, and its meaning in the query language."""


def _month(rng: random.Random, language: str) -> Made:
    month, year = rng.randrange(12), rng.randrange(2005, 2026)
    if language == "zh":
        return f"{year}年{month + 1}月的", f"taken:{year}-{month + 1:02}"
    of = " de" if language == "es" and rng.random() < 0.5 else ""
    return f"{_IN[language]} {_MONTHS[language][month]}{of} {year}", f"taken:{year}-{month + 1:02}"


def _day(rng: random.Random, language: str) -> Made:
    month, year, day = rng.randrange(12), rng.randrange(2005, 2026), rng.randrange(1, 29)
    meaning = f"taken:{year}-{month + 1:02}-{day:02}"
    if language == "zh":
        return f"{year}年{month + 1}月{day}日的", meaning
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
        return f"{year}年{'春夏秋冬'[season]}天的", f"taken:{start}..{end}"
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


Phrase = Callable[[random.Random, str], Made]
_PHRASES: tuple[Phrase, ...] = (_month, _day, _season, _since, _last_year, _camera, _absence)
_CHINESE = (_month, _day, _season)


def make_question(things: list[str], rng: random.Random) -> tuple[str, str]:
    """A question and what it means in the query language."""
    language = rng.choice(("en", "en", "de", "fr", "es", "zh"))
    # In another language than English the thing is one word, which could be of any.
    thing = rng.choice([each for each in things if language == "en" or " " not in each])
    if language == "zh":
        written, meaning = rng.choice(_CHINESE)(rng, language)
        return f"{written}{thing}", f"{thing} {meaning}"
    chosen = [rng.choice(_PHRASES)]
    if rng.random() < 0.3 and chosen[0] is not _absence:
        chosen.append(_absence)
    made = [each(rng, language) for each in chosen]
    question = thing + "".join(written if written[0] == "," else f" {written}" for written, _ in made)
    meanings = sorted((meaning for _, meaning in made), key=lambda each: each[0] != "-")
    return question, " ".join([thing, *meanings])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--wrong", action="store_true", help="print the questions that are not understood")
    chosen = parser.parse_args()
    texts = {*bank_texts(), *(label for name in BUILT_IN for label in built_in_labels(name))}
    if chosen.labels is not None:
        lines = chosen.labels.read_text(encoding="utf-8").splitlines()
        texts |= {json.loads(line)["caption"] for line in lines}
    things = sorted(text for text in texts if text.isascii() and text.replace(" ", "").isalpha())
    context, rng = Context(_TODAY, lambda: _CAMERAS), random.Random(0)
    exact, times = 0, []
    for _ in range(chosen.count):
        question, meaning = make_question(things, rng)
        start = perf_counter()
        understood = understand(question, context)
        times.append(1000 * (perf_counter() - start))
        is_exact = understood.query == parse_query(meaning)
        exact += is_exact
        if chosen.wrong and not is_exact:
            print(f"{question} -> {understood.text}, not {meaning}")
    applied = 0
    for text in texts:
        try:
            applied += any(phrase.is_applied for phrase in understand(text, context).phrases)
        except QuerySyntaxError:  # a label may be no query
            continue
    rows = [
        ["exact", f"{exact} of {chosen.count}"],
        ["ms a question, median and most", f"{median(times):.1f}, {max(times):.1f}"],
        ["texts with a phrase that nobody meant", f"{applied} of {len(texts):,}"],
    ]
    print_table(["questions", ""], rows)


if __name__ == "__main__":
    main()
