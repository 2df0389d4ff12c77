"""Read a picture's metadata: orientation, date, camera, position and description.

From EXIF, for dates and the description from XMP and IPTC too, and for dates from the container. All of it is
untrusted: every value is validated, and invalid ones become None. Nothing raises, because a picture with broken
metadata should still be found.
"""

import math
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import BinaryIO

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from clipsearch.images.containers import read_creation_time
from clipsearch.images.dates import DateClaim, choose_date, is_doubtful
from clipsearch.images.descriptions.embedded import EmbeddedMetadata, attempt, describe, read_embedded
from clipsearch.images.descriptions.iptc import record_text
from clipsearch.types import ImageMetadata


def read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, of a loaded picture; 1 when it is missing or invalid.

    Only after `load()`: Pillow rotates TIFF pictures itself while loading and drops the tag.
    """
    exif = attempt(image.getexif) or Image.Exif()
    orientation = attempt(partial(exif.get, Base.Orientation))
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def read_metadata(image: Image.Image, file: BinaryIO, *, width: int, height: int) -> ImageMetadata:
    """Read the metadata of a loaded picture.

    Args:
        file: the file it was loaded from, still open.
        width: pixels, after orientation.
        height: pixels, after orientation.
    """
    exif = attempt(image.getexif) or Image.Exif()
    embedded = read_embedded(image, main_tags=_DATE_TAGS)
    make, model = (clean_text(attempt(partial(exif.get, tag))) for tag in (Base.Make, Base.Model))
    latitude, longitude = _position(attempt(partial(exif.get_ifd, IFD.GPSInfo)) or {})
    taken_at = choose_date(_date_claims(image, file, embedded))
    return ImageMetadata(
        width=width,
        height=height,
        format=image.format or "unknown",
        taken_at=taken_at,
        camera=join_camera(make, model),
        latitude=latitude,
        longitude=longitude,
        is_date_doubtful=taken_at is not None and is_doubtful(taken_at, now=datetime.now()),
        description=describe(embedded),
    )


_DATE_TAGS = (
    *(Base.DateTimeOriginal, Base.SubsecTimeOriginal),
    *(Base.DateTimeDigitized, Base.SubsecTimeDigitized),
    *(Base.DateTime, Base.SubsecTime),
)

_MIN_DATE_CHARACTERS = len("2019:7:4")

# Source: IPTC-IIM 4.2, 2:55, 2:60, 2:62 and 2:63.
_IPTC_CREATED, _IPTC_DIGITIZED = ((2, 55), (2, 60)), ((2, 62), (2, 63))


def _date_claims(
    image: Image.Image, file: BinaryIO, embedded: EmbeddedMetadata
) -> Iterator[Callable[[], DateClaim | None]]:
    """Yield the readers of date claims: taken, digitized, container, changed.

    In the order of the Metadata Working Group's Guidance 2.0.
    """
    tags, properties, records = embedded.tags, embedded.properties, embedded.records

    def exif(tag: int, subsecond_tag: int, *, is_of_edit: bool = False) -> DateClaim:
        fraction = clean_text(tags.get(subsecond_tag))
        return DateClaim(_date_text(tags.get(tag)), fraction if fraction.isdigit() else "", is_of_edit)

    def from_xmp(name: str) -> DateClaim:
        return DateClaim(clean_text(properties.text(name)))

    def from_iptc(date: tuple[int, int], time: tuple[int, int]) -> DateClaim:
        return DateClaim(" ".join(clean_text(record_text(records, each)) for each in (date, time)).strip())

    yield partial(exif, Base.DateTimeOriginal, Base.SubsecTimeOriginal)
    yield partial(from_xmp, "exif:DateTimeOriginal")
    yield partial(from_xmp, "photoshop:DateCreated")
    yield partial(from_iptc, *_IPTC_CREATED)
    yield partial(exif, Base.DateTimeDigitized, Base.SubsecTimeDigitized)
    yield partial(from_xmp, "exif:DateTimeDigitized")
    yield partial(from_xmp, "xmp:CreateDate")
    yield partial(from_iptc, *_IPTC_DIGITIZED)
    yield lambda: DateClaim(clean_text(image.info.get("Creation Time")))  # PNG's own
    yield lambda: _container_claim(image, file)
    yield partial(exif, Base.DateTime, Base.SubsecTime, is_of_edit=True)


def _container_claim(image: Image.Image, file: BinaryIO) -> DateClaim | None:
    if image.format not in ("HEIF", "AVIF"):
        return None
    created = attempt(partial(read_creation_time, file))
    return None if created is None else DateClaim(created.isoformat())


def clean_text(value: object) -> str:
    """Clean a text to one line: up to the first NUL, without control characters, at most 100 characters."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    printable = "".join(c if c.isprintable() else " " for c in value.lstrip("\0").partition("\0")[0])
    return " ".join(printable.split())[:100].strip()


def _date_text(value: object) -> str:
    """Clean a date like `clean_text`; a NUL before the length of the shortest date is a separator, not an end."""
    text = clean_text(value)
    if len(text) >= _MIN_DATE_CHARACTERS:
        return text
    return clean_text(value.replace(b"\0", b":") if isinstance(value, bytes) else str(value or "").replace("\0", ":"))


def join_camera(make: str, model: str) -> str | None:
    """Join make and model: "NIKON CORPORATION", "NIKON D90" → "NIKON D90"; "Apple", "iPhone 12" → "Apple iPhone 12"."""
    if make and model.casefold().startswith(make.split(maxsplit=1)[0].casefold()):
        return model
    return f"{make} {model}".strip() or None


def _position(gps: dict[int, object]) -> tuple[float, float] | tuple[None, None]:
    latitude = _degrees(gps.get(GPS.GPSLatitude), gps.get(GPS.GPSLatitudeRef), "NS", 90)
    longitude = _degrees(gps.get(GPS.GPSLongitude), gps.get(GPS.GPSLongitudeRef), "EW", 180)
    # 0, 0 is in the sea off Africa; receivers write it when they have no position.
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None, None
    return latitude, longitude


def _degrees(value: object, reference: object, directions: str, limit: int) -> float | None:
    """Convert degrees, minutes and seconds with "N" or "S", "E" or "W" to signed degrees."""
    parts = value if isinstance(value, tuple) else (value,)
    numbers = [_number(part) for part in parts]
    direction = clean_text(reference).upper()[:1]
    if not numbers or len(numbers) > 3 or not direction or direction not in directions:
        return None
    # Minutes and seconds of 60 occur, from rounding. NaN fails every comparison.
    if len(numbers) == 3 and not 0 <= numbers[2] <= 60:
        numbers.pop()  # degrees and minutes alone are accurate to 2 km
    degrees = math.fsum(number / 60**power for power, number in enumerate(numbers))
    if not all(0 <= number <= 60 for number in numbers[1:]) or not 0 <= degrees <= limit:
        return None
    return -degrees if direction == directions[1] else degrees


def _number(value: object) -> float:
    number = attempt(lambda: float(value))  # type: ignore[arg-type]
    return math.nan if number is None else number
