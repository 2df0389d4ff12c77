"""Read the records of IPTC-IIM, and describe a picture from them.

Pillow's own reader loses all records where one is damaged, and those behind the first gap.
"""

from collections.abc import Mapping
from itertools import islice
from typing import TypeAlias

from PIL import Image

from clipsearch.description import MOST_NAMES, NOTHING, Description
from clipsearch.images.descriptions.keywords import join_keywords
from clipsearch.images.descriptions.texts import clean_lines, decode_text, first_of, first_written, join_creators

Records: TypeAlias = Mapping[tuple[int, int], list[bytes]]
"""Values by record and dataset, (2, 25) are the keywords; those of a dataset that is repeated in their order."""

# Source: Adobe Photoshop File Formats Specification, November 2019, image resource 1028.
IPTC_RESOURCE = 0x0404
# Source: TIFF tag of IPTC/NAA, Adobe "TIFF Technical Notes".
_IPTC_TAG = 33723

# Source: IPTC-IIM 4.2, 1.5 (dataset, standard and extended), 1:90, and chapter 6 on the datasets of record 2.
_MARKER = 0x1C
_CHARACTER_SET, _UTF_8 = (1, 90), b"\x1b%G"
_TITLES, _CAPTION, _KEYWORDS = ((2, 5), (2, 105)), (2, 120), (2, 25)
_CREATOR, _COPYRIGHT = (2, 80), (2, 116)
_LOCATION, _CITY, _REGION, _COUNTRY = (2, 92), (2, 90), (2, 95), (2, 101)

_MAX_BYTES = 1 << 20
_MAX_RECORDS = 10_000


def read_records(image: Image.Image) -> Records:
    """Return the records of an opened JPEG, TIFF or Photoshop picture, as far as they are valid; empty without any."""
    content = _iptc_block(image)
    return parse_records(content) if content else {}


def _iptc_block(image: Image.Image) -> bytes | None:
    resources = image.info.get("photoshop")
    if isinstance(resources, dict):
        content = resources.get(IPTC_RESOURCE)
        return content if isinstance(content, bytes) else None
    # As `getiptcinfo` does: Pillow takes the numbers of four bytes, as which Photoshop declares it, for one number.
    tags = getattr(getattr(image, "tag_v2", None), "_tagdata", {})
    value = tags.get(_IPTC_TAG)
    return value if isinstance(value, bytes) else None


def parse_records(content: bytes) -> Records:
    """Parse the records of an IPTC-IIM block; what is damaged ends them, and zeros between them are skipped."""
    found: dict[tuple[int, int], list[bytes]] = {}
    content = content[:_MAX_BYTES]
    place, end = 0, len(content)
    for _ in range(_MAX_RECORDS):
        while place < end and content[place] == 0:
            place += 1
        if place + 5 > end or content[place] != _MARKER:
            break
        key, size = (content[place + 1], content[place + 2]), int.from_bytes(content[place + 3 : place + 5], "big")
        place += 5
        if size & 0x8000:  # extended: the length of the length
            length = size & 0x7FFF
            if length > 4:
                break
            size = int.from_bytes(content[place : place + length], "big")
            place += length
        if place + size > end:
            break
        found.setdefault(key, []).append(content[place : place + size])
        place += size
    return found


def record_text(records: Records, dataset: tuple[int, int]) -> str:
    """Return the first text of a dataset, not cleaned; "" without one."""
    return next(iter(record_texts(records, dataset)), "")


def record_texts(records: Records, dataset: tuple[int, int]) -> list[str]:
    """Return the texts of a dataset: UTF-8 where the block says so or they are, else Windows-1252."""
    values = islice(records.get(dataset, ()), 10 * MOST_NAMES)
    if _UTF_8 in records.get(_CHARACTER_SET, ()):
        return [value.decode("utf-8", "ignore").strip("\0") for value in values]
    return [decode_text(value).strip("\0") for value in values]


def describe_records(records: Records) -> Description:
    """Return what IPTC-IIM says about a picture; it has no ratings, labels and people."""
    if not records:
        return NOTHING

    def text(dataset: tuple[int, int]) -> str | None:
        return first_of([record_text(records, dataset)])

    return Description(
        title=first_written(record_text(records, dataset) for dataset in _TITLES),
        caption=first_written([record_text(records, _CAPTION)], clean=clean_lines),
        keywords=join_keywords(record_texts(records, _KEYWORDS)),
        creator=join_creators(record_texts(records, _CREATOR)),
        copyright=text(_COPYRIGHT),
        location=text(_LOCATION),
        city=text(_CITY),
        region=text(_REGION),
        country=text(_COUNTRY),
    )
