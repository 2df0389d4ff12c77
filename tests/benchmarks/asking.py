"""Questions over a library with metadata: python -m tests.benchmarks.asking LABELS.jsonl [--questions 400]

LABELS.jsonl has lines with "image" and "caption", the name of what a photograph shows. Each photograph is indexed
twice,
the second time mirrored, with the bundled model and with made metadata: a camera in EXIF; a date, a position in one of
20 cities, a person and a rating in an XMP sidecar. A question is the name of what one of them shows with one or two of
its facts in words, in one of five languages. Counted is

exact: the words left are the name, and the filters select the pictures that have these facts, by what was made;
same: the first hit is that of the name with these filters as written in the query language;
shown first: the first hit shows what the name says, and has the facts; beside it as plain words, without any filter.
"""

import argparse
import json
import random
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

from PIL import Image, ImageOps

from clipsearch import Catalog
from clipsearch.query import parse_query
from clipsearch.settings import STARTER
from tests.benchmarks.measuring import note, print_table, workplace
from tests.support.xmp import array, packet

# City, latitude, longitude, and its name in English, German, French, Spanish and Chinese.
_CITIES = (
    ("munich", 48.137, 11.575, ("Munich", "München", "Munich", "Múnich", "慕尼黑")),
    ("paris", 48.853, 2.349, ("Paris", "Paris", "Paris", "París", "巴黎")),
    ("london", 51.508, -0.126, ("London", "London", "Londres", "Londres", "伦敦")),
    ("rome", 41.893, 12.483, ("Rome", "Rom", "Rome", "Roma", "罗马")),
    ("vienna", 48.208, 16.372, ("Vienna", "Wien", "Vienne", "Viena", "维也纳")),
    ("prague", 50.088, 14.421, ("Prague", "Prag", "Prague", "Praga", "布拉格")),
    ("lisbon", 38.717, -9.133, ("Lisbon", "Lissabon", "Lisbonne", "Lisboa", "里斯本")),
    ("copenhagen", 55.676, 12.566, ("Copenhagen", "Kopenhagen", "Copenhague", "Copenhague", "哥本哈根")),
    ("athens", 37.984, 23.728, ("Athens", "Athen", "Athènes", "Atenas", "雅典")),
    ("moscow", 55.752, 37.616, ("Moscow", "Moskau", "Moscou", "Moscú", "莫斯科")),
    ("tokyo", 35.689, 139.692, ("Tokyo", "Tokio", "Tokyo", "Tokio", "东京")),
    ("beijing", 39.907, 116.397, ("Beijing", "Peking", "Pékin", "Pekín", "北京")),
    ("sydney", -33.868, 151.207, ("Sydney", "Sydney", "Sydney", "Sídney", "悉尼")),
    ("new york", 40.714, -74.006, ("New York", "New York", "New York", "Nueva York", "纽约")),
    ("barcelona", 41.388, 2.159, ("Barcelona", "Barcelona", "Barcelone", "Barcelona", "巴塞罗那")),
    ("geneva", 46.202, 6.146, ("Geneva", "Genf", "Genève", "Ginebra", "日内瓦")),
    ("cologne", 50.933, 6.95, ("Cologne", "Köln", "Cologne", "Colonia", "科隆")),
    ("warsaw", 52.23, 21.012, ("Warsaw", "Warschau", "Varsovie", "Varsovia", "华沙")),
    ("milan", 45.464, 9.19, ("Milan", "Mailand", "Milan", "Milán", "米兰")),
    ("brussels", 50.85, 4.349, ("Brussels", "Brüssel", "Bruxelles", "Bruselas", "布鲁塞尔")),
)
_PEOPLE = ("Anna Lee", "Bob Ray", "Carla Diaz", "Dmitri Orlov", "Eva Klein", "Farid Khan", None, None)
_CAMERAS = (("Canon", "Canon EOS R6"), ("NIKON CORPORATION", "NIKON Z 6"), ("Apple", "iPhone 12"), ("SONY", "ILCE-7M3"))
_MONTHS = (
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    [f"{month}月" for month in range(1, 13)],
)
# Of a fact, in each language; Chinese facts stand before the name.
_IN_PLACE = ("in {}", "in {}", "à {}", "en {}", "在{}")
_IN_MONTH = ("in {} {}", "im {} {}", "en {} {}", "en {} de {}", "{1}年{0}的")
_IN_YEAR = ("in {}", "im Jahr {}", "en {}", "en el año {}", "{}年的")
_WITH = ("with {}", "mit {}", "avec {}", "con {}", "和{}")
_STARS = ("{} stars", "{} Sterne", "{} étoiles", "{} estrellas", "{}星")
_CHINESE = 4


@dataclass(frozen=True)
class Facts:
    """What was made of a photograph."""

    name: str
    day: date
    city: int
    person: str | None
    camera: tuple[str, str]
    rating: int


def make_library(labels: Path, folder: Path, rng: random.Random) -> dict[str, Facts]:
    """Write the photographs with their metadata; return the facts by file name."""
    made: dict[str, Facts] = {}
    for number, line in enumerate(labels.read_text(encoding="utf-8").splitlines()):
        entry = json.loads(line)
        image = Image.open(labels.parent / entry["image"]).convert("RGB")
        for kind, shown in (("a", image), ("b", ImageOps.mirror(image))):
            day = date(2015, 1, 1) + timedelta(days=rng.randrange(3_650))
            facts = Facts(
                entry["caption"],
                day,
                rng.randrange(len(_CITIES)),
                rng.choice(_PEOPLE),
                rng.choice(_CAMERAS),
                rng.randrange(6),
            )
            exif = Image.Exif()
            exif[0x010F], exif[0x0110] = facts.camera
            path = folder / f"{number:04}{kind}.jpg"
            shown.save(path, quality=92, exif=exif)
            path.with_name(f"{path.name}.xmp").write_bytes(_sidecar(facts))
            made[path.name] = facts
    return made


def _sidecar(facts: Facts) -> bytes:
    _, latitude, longitude, _ = _CITIES[facts.city]
    north, east = (
        f"{int(abs(value))},{60 * (abs(value) % 1):.4f}{ends[value < 0]}"
        for value, ends in ((latitude, "NS"), (longitude, "EW"))
    )
    return packet(
        array("Iptc4xmpExt:PersonInImage", [facts.person]) if facts.person else "",
        f'xmp:Rating="{facts.rating}" exif:GPSLatitude="{north}" exif:GPSLongitude="{east}" '
        f'exif:DateTimeOriginal="{facts.day.isoformat()}T12:00:00"',
    )


@dataclass(frozen=True)
class Question:
    text: str
    facts: Facts
    filters: str
    kinds: tuple[str, ...]


def ask(facts: Facts, rng: random.Random) -> Question:
    """A question with one or two facts."""
    language = rng.randrange(5)
    kinds = ["place", rng.choice(("month", "year")), "camera", "rating"] + (["person"] if facts.person else [])
    chosen = rng.sample([kind for kind in kinds if kind != "rating" or facts.rating > 1], rng.choice((1, 2)))
    said, filters = [], []
    for kind in chosen:
        if kind == "place":
            city, *_, names = _CITIES[facts.city]
            said.append(_IN_PLACE[language].format(names[language]))
            filters.append(f'place:"{city}"')
        elif kind == "month":
            month = _MONTHS[language][facts.day.month - 1]
            said.append(_IN_MONTH[language].format(month, facts.day.year))
            filters.append(f"taken:{facts.day:%Y-%m}")
        elif kind == "year":
            said.append(_IN_YEAR[language].format(facts.day.year))
            filters.append(f"taken:{facts.day.year}")
        elif kind == "camera":
            make, _ = facts.camera
            name = {"SONY": "Sony", "NIKON CORPORATION": "Nikon", "Apple": "iPhone", "Canon": "Canon"}[make]
            said.append(f", {name}")
            filters.append(f"camera:{name}")
        elif kind == "rating":
            said.append(f", {_STARS[language].format(facts.rating)}")
            filters.append(f"rating:{facts.rating}")
        else:
            first = (facts.person or "").split()[0]
            said.append(_WITH[language].format(first))
            filters.append(f"person:{first.lower()}")
    said.sort(key=lambda words: words.startswith(","))
    if language == _CHINESE:
        before, behind = [each for each in said if each[0] != ","], [each for each in said if each[0] == ","]
        text = f"{''.join(before)} {facts.name}{''.join(behind)}"
    else:
        text = re.sub(r" ,", ",", f"{facts.name} {' '.join(said)}")
    return Question(text.strip(), facts, " ".join(filters), tuple(chosen))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--wrong", action="store_true", help="show the questions that are not understood")
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    counts: Counter[str] = Counter()
    seconds: list[float] = []
    with workplace(None) as place:
        folder = place / "photos"
        folder.mkdir()
        made = make_library(chosen.labels, folder, rng)
        with Catalog.open(place / "catalog", model=STARTER, create=True) as catalog:
            report = catalog.index(folder)
            note(f"{report.embedded:,} pictures, {report.sidecars:,} sidecars in {report.seconds:.0f} s")
            questions = [ask(rng.choice(list(made.values())), rng) for _ in range(chosen.questions)]
            catalog.understand("a warm-up in Paris in 2019 with Anna")
            for question in questions:
                start = perf_counter()
                understanding = catalog.understand(question.text)
                seconds.append(perf_counter() - start)
                wanted = parse_query(f'"{question.facts.name}" {question.filters}')
                found = catalog.search(understanding.query, top_k=1, stacks=False)
                expected = catalog.search(wanted, top_k=1, stacks=False)
                plain = catalog.search(question.text, top_k=1, stacks=False)
                is_exact = _selected(catalog, understanding.query) == _selected(catalog, wanted) and [
                    [term.value.casefold() for term in group] for group in understanding.query.groups
                ] == [[question.facts.name.casefold()]]
                counts["exact"] += is_exact
                counts["same"] += [hit.path for hit in found] == [hit.path for hit in expected]
                for name, hits in (("understood", found), ("plain", plain)):
                    first = made[Path(hits[0].path).name] if hits else None
                    is_right = first is not None and first.name == question.facts.name
                    counts[name] += is_right and _has(first, question)
                if not is_exact and chosen.wrong:
                    note(f"{question.text!r}: {understanding.query} instead of {wanted}")
            rocket = catalog.understand("a rocket in July 2023").query
            note(f"'a rocket in July 2023' is {rocket}")
    count = len(questions)
    print_table(
        ("questions", "exact", "same first hit", "shown first", "as plain words", "median", "most"),
        [
            (
                f"{count:,}",
                *(f"{counts[name] / count:.3f}" for name in ("exact", "same", "understood", "plain")),
                *(f"{1e3 * value:.1f} ms" for value in (sorted(seconds)[count // 2], max(seconds))),
            )
        ],
    )


def _selected(catalog: Catalog, query: object) -> int:
    """The number of pictures that the filters of a query select."""
    return catalog.pictures.facets(query).pictures  # type: ignore[arg-type]


def _has(facts: Facts | None, question: Question) -> bool:
    wanted = question.facts
    same = {
        "place": facts and facts.city == wanted.city,
        "month": facts and (facts.day.year, facts.day.month) == (wanted.day.year, wanted.day.month),
        "year": facts and facts.day.year == wanted.day.year,
        "camera": facts and facts.camera == wanted.camera,
        "rating": facts and facts.rating == wanted.rating,
        "person": facts and facts.person == wanted.person,
    }
    return all(same[kind] for kind in question.kinds)


if __name__ == "__main__":
    main()
