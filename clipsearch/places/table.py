"""Read the table of places, a file that is mapped into memory.

The file is a line of JSON (its size is a multiple of 64 bytes), then arrays of little-endian numbers. The header's
"arrays" has type, offset after the header, and count of each. Places are rows: cities (by population, the most populous
first), then regions, then countries. `tools/places.py` writes it.

| array | of each | what |
|---|---|---|
| ids | place | GeoNames' id; 0 for the nameless region of a country's cities of unknown region |
| latitudes, longitudes | place | in 1e-5 degrees |
| populations | place | 0 where unknown |
| name_lengths | place | bytes of UTF-8 of the name |
| name_starts | 64th place | where its name begins in `names` |
| names | byte | all names, one after the other |
| city_regions | city | its region, counted from the first region |
| region_countries | region | its country, counted from the first country |
| country_codes | country | ISO 3166-1 alpha-2, 2 bytes |
| parts | part | first the rows of cities that are parts of larger ones, ascending, then the rows of those |
| buckets | 65,537 | where keys with these first 16 bits begin in `keys`, in records |
| keys | name | records of 6 bytes: the other 24 bits of the key (`keys.name_key`), and a row; big-endian, sorted |
| common | word | keys of names that are words or names of people too, sorted |
"""

import json
import mmap
import sys
from bisect import bisect_left
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from clipsearch.places.keys import NAMES_A_START, name_key
from clipsearch.places.place import Kind, Place

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TYPES: dict[str, Literal["B", "H", "I", "i", "Q"]] = {"u1": "B", "u2": "H", "u4": "I", "i4": "i", "u8": "Q"}
_RECORD = 6


class Table:
    """The places of one file. Reads what is needed, when it is; safe for threads.

    Attributes:
        header: sources and their versions, numbers of places, and the checksum.
        version: changes with the file: codes of one version mean nothing in another, ids do.
    """

    def __init__(self, data: bytes | mmap.mmap) -> None:
        start = data.find(b"\n") + 1
        self.header: dict[str, Any] = json.loads(data[:start])
        self.version: str = self.header["blake2b"]
        self.cities: int = self.header["cities"]
        self.regions: int = self.header["regions"]
        self.countries: int = self.header["countries"]
        self._bytes = memoryview(data)[start:]

    @property
    def body(self) -> memoryview:
        """What the header's checksum is of."""
        return self._bytes

    def _numbers(self, name: str) -> Any:
        layout = self.header["arrays"][name]
        code = _TYPES[layout["type"]]
        if sys.byteorder == "big":
            return self.array(name).tolist()
        size = layout["count"] * int(layout["type"][1])
        return self._bytes[layout["offset"] : layout["offset"] + size].cast(code)

    def array(self, name: str) -> "NDArray[Any]":
        """Return an array of the file, mapped, not copied."""
        import numpy as np

        layout = self.header["arrays"][name]
        return np.frombuffer(self._bytes, f"<{layout['type']}", layout["count"], layout["offset"])

    @cached_property
    def _columns(self) -> dict[str, Any]:
        return {name: self._numbers(name) for name in self.header["arrays"]}

    def rows_named(self, plain: str) -> list[int]:
        """Return the rows of the places with a folded name, ascending."""
        key = name_key(plain)
        buckets, keys = self._columns["buckets"], self._columns["keys"]
        first, last = buckets[key >> 24], buckets[(key >> 24) + 1]
        records = bytes(keys[first * _RECORD : last * _RECORD])
        rest = (key & 0xFFFFFF).to_bytes(3, "big")
        starts = range(0, len(records), _RECORD)
        return [int.from_bytes(records[at + 3 : at + 6], "big") for at in starts if records[at : at + 3] == rest]

    def is_common(self, plain: str) -> bool:
        """Return whether a folded name of a place is also a frequent word, given name or surname."""
        common, key = self._columns["common"], name_key(plain)
        place = bisect_left(common, key)
        return place < len(common) and bool(common[place] == key)

    def kind(self, row: int) -> Kind:
        """Return what the place of a row is."""
        if row < self.cities:
            return "city"
        return "region" if row < self.cities + self.regions else "country"

    def region_row(self, row: int) -> int:
        """Return the row of the region of a city, or of the region itself; -1 for countries."""
        if row < self.cities:
            return self.cities + int(self._columns["city_regions"][row])
        return row if row < self.cities + self.regions else -1

    def country_row(self, row: int) -> int:
        """Return the row of the country of a place, or of the country itself."""
        region = self.region_row(row)
        first = self.cities + self.regions
        return row if region < 0 else first + int(self._columns["region_countries"][region - self.cities])

    def city_row(self, row: int) -> int:
        """Return the row of the city that a city is a part of, else its own."""
        parts = self._columns["parts"]
        count = len(parts) // 2
        place = bisect_left(parts, row, 0, count)
        return int(parts[count + place]) if place < count and parts[place] == row else row

    def population(self, row: int) -> int:
        """Return the population of the place of a row, 0 where it is unknown."""
        return int(self._columns["populations"][row])

    def row_of(self, identity: int) -> int:
        """Return the row of a GeoNames id, -1 if there is none."""
        import numpy as np

        if not 0 < identity < 1 << 32:
            return -1
        found = np.flatnonzero(self.array("ids") == identity)
        return int(found[0]) if len(found) else -1

    def name(self, row: int) -> str:
        """Return the name of the place of a row."""
        lengths = self._columns["name_lengths"]
        block = row // NAMES_A_START
        start = self._columns["name_starts"][block] + sum(lengths[block * NAMES_A_START : row])
        return bytes(self._columns["names"][start : start + lengths[row]]).decode("utf-8")

    def place(self, row: int) -> Place:
        """Return the place of a row."""
        region, country, columns = self.region_row(row), self.country_row(row), self._columns
        code = 2 * (country - self.cities - self.regions)
        return Place(
            id=int(columns["ids"][row]),
            name=self.name(row),
            kind=self.kind(row),
            region="" if region < 0 else self.name(region),
            country=self.name(country),
            country_code=bytes(columns["country_codes"][code : code + 2]).decode("ascii"),
            latitude=columns["latitudes"][row] / 1e5,
            longitude=columns["longitudes"][row] / 1e5,
            population=self.population(row),
        )

    @cached_property
    def city_codes(self) -> "NDArray[np.int32]":
        """For each city, the code of the city that it is a part of, else its own (cities,)."""
        import numpy as np

        codes = np.arange(self.cities, dtype=np.int32)
        places, parents = self.array("parts").reshape(2, -1)
        codes[places] = parents
        return codes


@lru_cache(maxsize=1)
def table() -> Table:
    """Return the table of the package, mapped into memory the first time."""
    path = files("clipsearch").joinpath("data", "places", "places.bin")
    try:
        with open(str(path), "rb") as file:  # noqa: PTH123 - a Traversable, not always a path
            return Table(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError:
        # The package is in an archive, or its folder can't be mapped.
        return Table(path.read_bytes())
