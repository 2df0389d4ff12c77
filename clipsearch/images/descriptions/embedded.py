"""Read the metadata embedded in an opened picture once, for its description and for its dates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from PIL import Image
from PIL.ExifTags import IFD

from clipsearch.description import NOTHING, UNRATED, Description, merge
from clipsearch.images.descriptions.exif import TEXT_TAGS, describe_tags
from clipsearch.images.descriptions.iptc import Records, describe_records, read_records
from clipsearch.images.descriptions.xmp import describe_properties
from clipsearch.images.xmp.packets import xmp_packet
from clipsearch.images.xmp.properties import NO_PROPERTIES, Properties, parse_properties

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class EmbeddedMetadata:
    """What a file holds besides its pixels: untrusted, and empty where it is missing or damaged.

    Attributes:
        properties: of its XMP packet.
        records: of IPTC-IIM.
        tags: of EXIF: some of the main directory, and those of the Exif directory.
    """

    properties: Properties
    records: Records
    tags: Mapping[int, object]


def read_embedded(image: Image.Image, *, main_tags: tuple[int, ...] = ()) -> EmbeddedMetadata:
    """Read the metadata of an opened picture; nothing raises.

    Args:
        main_tags: of the main directory of EXIF, besides those that describe a picture.
    """
    exif = attempt(image.getexif) or Image.Exif()
    tags: dict[int, object] = {tag: attempt(partial(exif.get, tag)) for tag in (*main_tags, *TEXT_TAGS) if tag in exif}
    # Some writers put the Exif tags next to the main ones.
    tags |= attempt(partial(exif.get_ifd, IFD.Exif)) or {}
    packet = attempt(partial(xmp_packet, image))
    return EmbeddedMetadata(
        properties=(attempt(partial(parse_properties, packet)) if packet else None) or NO_PROPERTIES,
        records=attempt(partial(read_records, image)) or {},
        tags=tags,
    )


def read_description(image: Image.Image) -> Description:
    """Return what is written about a picture in its file; nothing raises.

    Args:
        image: opened by Pillow, or by one of the readers of `images.readers`.
    """
    return describe(read_embedded(image))


def describe(embedded: EmbeddedMetadata) -> Description:
    """Return what embedded metadata say about a picture, without its date and position, which are a picture's own.

    The sources by trust: XMP, which newer programs write first and always as Unicode; IPTC-IIM; EXIF. Keywords are
    those of all, and of anything else the first that says it counts, see `merge`. A rating of 0 is left out: cameras
    write it.
    """
    readers: tuple[Callable[[], Description], ...] = (
        partial(describe_properties, embedded.properties),
        partial(describe_records, embedded.records),
        partial(describe_tags, embedded.tags),
    )
    found = []
    for read in readers:
        description = attempt(read) or NOTHING
        if description.rating == UNRATED:
            description = replace(description, rating=None)
        if description:
            found.append(description)
    return merge(found) if found else NOTHING


def attempt(read: Callable[[], _Value]) -> _Value | None:
    """Return what a reader of metadata returns, None where it raises: broken EXIF raises anything."""
    try:
        return read()
    except Exception:  # noqa: BLE001
        return None
