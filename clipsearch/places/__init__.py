"""Places without a network: coordinates to cities, and names in any language to cities, regions and countries."""

from clipsearch.places.areas import (
    city_codes,
    code_of,
    codes_within,
    find_by_id,
    find_place,
    is_within,
    place_of,
    table_version,
)
from clipsearch.places.grid import find_places
from clipsearch.places.names import Mention, is_ambiguous, look_up, mention
from clipsearch.places.place import Kind, Place

__all__ = [
    "Kind",
    "Mention",
    "Place",
    "city_codes",
    "code_of",
    "codes_within",
    "find_by_id",
    "find_place",
    "find_places",
    "is_ambiguous",
    "is_within",
    "look_up",
    "mention",
    "place_of",
    "table_version",
]
