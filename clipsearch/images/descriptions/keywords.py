"""Read keywords from XMP: flat ones, and those that programs write with their levels."""

from collections.abc import Iterable, Iterator
from itertools import islice
from xml.etree.ElementTree import Element

from clipsearch.description import LEVELS, MOST_NAMES, join_names
from clipsearch.images.descriptions.texts import clean_line, clean_names
from clipsearch.images.xmp.packets import parse_packet
from clipsearch.images.xmp.properties import Properties

# Separator of levels in Lightroom, in Bridge and in all that write as they do.
_BAR = "|"

# Source: exiv2 and exiftool tag tables; digiKam 8, dmetadatasettingscontainer.cpp, defaults for tags.
_LEVELLED = (
    "lr:hierarchicalSubject",
    "digiKam:TagsList",
    *("MicrosoftPhoto:LastKeywordXMP", "microsoft:LastKeywordXMP"),
    *("mediapro:CatalogSets", "expressionmedia:CatalogSets"),
)
_FLAT = ("dc:subject", "acdsee:keywords")

_MAX_DEPTH = 30  # levels of a category

# Names that are looked at: of each there may be one with levels, one per level, and copies of other programs.
_MOST_READ = 20 * MOST_NAMES


def read_keywords(properties: Properties) -> tuple[str, ...]:
    """Return the keywords of a picture, those with levels first."""
    levelled = (name for key in _LEVELLED for name in properties.texts(key))
    flat = (name for key in _FLAT for name in properties.texts(key))
    categories = (name for text in properties.texts("acdsee:categories") for name in read_categories(text))
    return join_keywords((*islice(levelled, _MOST_READ), *categories, *islice(flat, _MOST_READ)))


def join_keywords(names: Iterable[str]) -> tuple[str, ...]:
    """Clean and join keywords: levels get the separator `LEVELS`, and a path that another one begins with is left out.

    "A|B" is "A/B"; of "A", "A/B" and "A/B/C" the last is left.
    """
    paths = [
        clean_line(LEVELS.join(clean_names(name.replace(_BAR, LEVELS).split(LEVELS))))
        if _BAR in name or LEVELS in name
        else clean_line(name)
        for name in names
    ]
    found = join_names(filter(None, paths))
    if not any(LEVELS in path for path in found):
        return found
    beginnings = {path[:end].casefold() for path in found for end, each in enumerate(path) if each == LEVELS}
    return tuple(path for path in found if path.casefold() not in beginnings)


def read_categories(text: str) -> Iterator[str]:
    """Yield the assigned categories in ACDSee's XML, levels separated by `LEVELS`, parents before their children.

    Source: digiKam 8, dmetadata_tags.cpp, on Xmp.acdsee.categories: nested elements "Category" with the attribute
    "Assigned", each with its name as text.
    """
    root = parse_packet(text)
    waiting: list[tuple[Element, tuple[str, ...]]] = [] if root is None else [(root, ())]
    found = 0
    while waiting and found < MOST_NAMES:
        element, above = waiting.pop()
        path = above
        if element.tag == "Category":
            path = (*above, *clean_names([element.text or ""]))
            if element.get("Assigned") == "1" and path != above:
                yield LEVELS.join(path)
                found += 1
        if len(path) < _MAX_DEPTH:
            waiting += [(child, path) for child in reversed(element)]
