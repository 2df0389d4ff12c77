"""Read the names of people from XMP: of marked faces, and of those who are in the picture."""

from collections.abc import Iterable, Iterator
from itertools import islice

from clipsearch.description import MOST_NAMES, join_names
from clipsearch.images.descriptions.texts import clean_names
from clipsearch.images.xmp.properties import Properties, qualify

# Property with regions, the name of one and its type. Source: Metadata Working Group, Guidelines 2.0, 5.9; Microsoft,
# "People Tagging Overview"; exiftool, `XMP2.pl`, for ACDSee.
_REGIONS: tuple[tuple[str, str, str | None], ...] = (
    ("mwg-rs:Regions", "mwg-rs:Name", "mwg-rs:Type"),
    ("MP:RegionInfo", "MPReg:PersonDisplayName", None),
    ("acdsee-rs:Regions", "acdsee-rs:Name", "acdsee-rs:Type"),
)
_FACE = "face"

# Regions that are looked at: each may be there once for each program that marks them.
_MOST_READ = 10 * MOST_NAMES


def read_people(properties: Properties) -> tuple[str, ...]:
    """Return the names of people in a picture.

    Regions without a type are taken for faces; pets, focus points and bar codes have one.
    """
    regions = (_face_names(properties, *each) for each in _REGIONS)
    detailed = (person.text("Iptc4xmpExt:PersonName") for person in properties.structures(_DETAILED))
    sources: Iterable[Iterable[str]] = (*regions, properties.texts("Iptc4xmpExt:PersonInImage"), detailed)
    return join_names(clean_names(name for source in sources for name in islice(source, _MOST_READ)))


_DETAILED = "Iptc4xmpExt:PersonInImageWDetails"


def _face_names(properties: Properties, regions: str, name: str, kind: str | None) -> Iterator[str]:
    name, kind = qualify(name), kind and qualify(kind)
    for element in properties.elements(regions):
        # The fields of a region are attributes or elements.
        found = element.get(name) or element.findtext(name)
        region_kind = (element.get(kind) or element.findtext(kind)) if found and kind else None
        if found and (not region_kind or region_kind.strip().casefold() == _FACE):
            yield found
