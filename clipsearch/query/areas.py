"""Parse filters on areas: circles, by coordinates or by name, countries, and rectangles of the map of meaning."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clipsearch.places import Place

_DEFAULT_RADIUS_KM = 10.0

# A tenth of a millimetre in degrees; floats of this precision survive formatting and parsing.
_DECIMALS = 9

_DEGREES = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
_DISTANCE = r"(?:km|kilomet(?:er|re)s?|m|met(?:er|re)s?|mi|miles?|ft|feet|yd|yards?|nm)"
_UNITS_KM = {"": 1, "km": 1, "m": 1_000}

CIRCLE_SHAPE = (
    rf"{_DEGREES}(?:\s*[,;]\s*|\s+){_DEGREES}"
    rf"(?:\s*[,;]\s*{_DEGREES}(?:\s*{_DISTANCE})?|\s+{_DEGREES}\s*{_DISTANCE})?(?=\s|$)"
)
"""Pattern of a circle by coordinates, see `filters.SHAPES`."""

RECTANGLE_SHAPE = rf"{_DEGREES}(?:\s*[,;]\s*{_DEGREES})+(?=\s|$)"
"""Pattern of a rectangle of the map, likewise."""


@dataclass(frozen=True, slots=True)
class Circle:
    """Circle around a place on earth, in degrees and kilometres."""

    latitude: float
    longitude: float
    radius_km: float

    def __str__(self) -> str:
        return ",".join(_number(value) for value in (self.latitude, self.longitude, self.radius_km)) + "km"


def parse_circle(value: str) -> Circle:
    """Parse "48.85,2.35,10km" or "paris,10km"; ValueError for anything else."""
    number = r"[+-]?(?:\d{1,6}(?:\.\d*)?|\.\d+)"
    between = r"(?:\s*[,;]\s*|\s+)"
    found = re.fullmatch(
        rf"({number}){between}({number})(?:{between}({number})\s*(km|m)?)?", value, re.ASCII | re.IGNORECASE
    )
    if found is None:
        return _around_name(value)
    latitude, longitude = round(float(found[1]), _DECIMALS), round(float(found[2]), _DECIMALS)
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise ValueError("latitudes lie between -90 and 90, longitudes between -180 and 180: near:48.85,2.35,10km")
    return Circle(latitude, longitude, _radius_km(found[3], found[4]))


def _around_name(value: str) -> Circle:
    # A name has letters first.
    found = re.fullmatch(r"([^\W\d_].*?)(?:\s*[,;]\s*(\d{1,6}(?:\.\d*)?)\s*(km|m)?)?", value, re.IGNORECASE | re.DOTALL)
    if found is None:
        raise ValueError(
            "takes a latitude, a longitude and a distance in km or m, as in near:48.85,2.35,10km, or a place, as in "
            f"near:paris,10km, not {value[:40]}"
        )
    place = _named(found[1])
    if place is None:
        raise ValueError(f"no place is known as {found[1][:40]}: write coordinates, as in near:48.85,2.35,10km")
    if place.kind != "city":
        name = found[1] if found[1].isalpha() else f'"{found[1]}"'
        raise ValueError(f"{found[1][:40]} is a {place.kind}: write place:{name[:42]} for all of it")
    return Circle(round(place.latitude, 5), round(place.longitude, 5), _radius_km(found[2], found[3]))


def _radius_km(number: str | None, unit: str | None) -> float:
    radius_km = round(float(number or _DEFAULT_RADIUS_KM) / _UNITS_KM[(unit or "").lower()], _DECIMALS)
    if radius_km <= 0:
        raise ValueError("the distance must be greater than 0, as in near:48.85,2.35,10km")
    return radius_km


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Rectangle of the map of meaning, whose positions go from 0 to 1; its edges are part of it."""

    left: float
    top: float
    right: float
    bottom: float

    def __str__(self) -> str:
        return ",".join(_number(value) for value in (self.left, self.top, self.right, self.bottom))


def parse_rectangle(value: str) -> Rectangle:
    """Parse "0.2,0.3,0.4,0.5", two opposite corners; ValueError for anything else."""
    found = re.fullmatch(r"(\d?\.?\d{1,12})" + r"\s*[,;]\s*(\d?\.?\d{1,12})" * 3, value, re.ASCII)
    numbers = [] if found is None else [round(float(number), _DECIMALS) for number in found.groups()]
    if not numbers or max(numbers) > 1:
        raise ValueError(
            f"takes two corners of the map, four numbers from 0 to 1, as in map:0.2,0.3,0.4,0.5, not {value[:40]}"
        )
    (left, right), (top, bottom) = sorted(numbers[::2]), sorted(numbers[1::2])
    return Rectangle(left, top, right, bottom)


def parse_country(value: str) -> str:
    """Return the code of a country (ISO 3166-1 alpha-2) by its name in any language, or a code of two or three letters.

    Raises:
        ValueError: there is no such country.
    """
    return country_named(value).country_code.lower()


def country_named(name: str) -> "Place":
    """Return a country by name or code; ValueError when there is none."""
    from clipsearch.places import look_up

    country = next((place for place in look_up(name) if place.kind == "country"), None)
    if country is None:
        raise ValueError(f"takes a country, as in country:it or country:italy, not {name[:40]}")
    return country


def _named(name: str) -> "Place | None":
    from clipsearch.places import look_up

    return next(iter(look_up(name)), None)


def _number(value: float) -> str:
    return f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".")
