"""A city, a region or a country."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["city", "region", "country"]


@dataclass(frozen=True, slots=True)
class Place:
    """A place of GeoNames.

    Attributes:
        id: GeoNames' id, which stays the same in later tables.
        name: GeoNames' main name of a city, the English one of most regions and countries.
        region: name of the state or province, "" where unknown and for countries.
        country_code: ISO 3166-1 alpha-2.
        latitude: in degrees; of regions and countries, the middle of where their people live.
        population: 0 where unknown; of regions, that of the cities in the table.
    """

    id: int
    name: str
    kind: Kind
    region: str
    country: str
    country_code: str
    latitude: float
    longitude: float
    population: int

    @property
    def full_name(self) -> str:
        """The name with region and country, as in "Munich, Bavaria, Germany"; each name once."""
        names = (self.name, self.region, self.country)
        return ", ".join(dict.fromkeys(name for name in names if name))
