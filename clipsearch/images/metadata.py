"""What a picture says about itself: how to turn it, when, with what and where it was taken.

All of it from EXIF, and EXIF may be anything: every value here is checked, and what makes no sense is absent. Nothing
raises, for a picture is worth finding whatever its EXIF looks like.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """What is known of a picture besides its pixels.

    Attributes:
        width: pixels, after orientation.
        height: pixels, after orientation.
        format: Pillow's name of what the file holds, whatever it is called: "JPEG", "MPO", "PNG", "HEIF", ….
        taken_at: what the camera's clock showed, without a time zone. A UTC offset beside it is left out on purpose:
            "taken in July" means July where the picture was taken, and most pictures have no offset anyway.
        camera: make and model, "Canon EOS 5D".
        latitude: degrees, north positive, -90 to 90; None exactly when `longitude` is None.
        longitude: degrees, east positive, -180 to 180.
        phash: see `perceptual_hash`; None where the pixels were not decoded.
    """

    width: int
    height: int
    format: str
    taken_at: datetime | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    phash: int | None = None


def read_orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8, of a loaded picture; 1 when there is none or it is invalid.

    Only after `load()`: Pillow turns TIFF pictures itself while loading and drops the tag.
    """
    exif = _attempt(image.getexif) or Image.Exif()
    orientation = _attempt(partial(exif.get, Base.Orientation))
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def read_metadata(image: Image.Image, *, width: int, height: int) -> ImageMetadata:
    """Reads the EXIF of a loaded picture whose file is still open.

    Args:
        width: pixels, after orientation.
        height: pixels, after orientation.
    """
    exif = _attempt(image.getexif) or Image.Exif()
    main = {tag: _attempt(partial(exif.get, tag)) for tag in _MAIN_TAGS}
    # Some writers put the Exif tags beside the main ones.
    tags = main | (_attempt(partial(exif.get_ifd, IFD.Exif)) or {})
    latitude, longitude = _position(_attempt(partial(exif.get_ifd, IFD.GPSInfo)) or {})
    return ImageMetadata(
        width=width,
        height=height,
        format=image.format or "unknown",
        taken_at=next((taken_at for tag in _DATE_TAGS if (taken_at := _date(tags.get(tag))) is not None), None),
        camera=_camera(_text(main[Base.Make]), _text(main[Base.Model])),
        latitude=latitude,
        longitude=longitude,
    )


_DATE_TAGS = (Base.DateTimeOriginal, Base.DateTimeDigitized, Base.DateTime)
_MAIN_TAGS = (Base.Make, Base.Model, *_DATE_TAGS)

# "2024:05:06 07:08:09", and what is met: other separators, a T, blanks for zeros, no time, fractions, an offset.
_DATE_PATTERN = re.compile(
    r"(\d{4})[:/.-] ?(\d{1,2})[:/.-] ?(\d{1,2})"
    r"(?:[ T]+(\d{1,2}): ?(\d{1,2})(?:: ?(\d{1,2})(?:\.\d*)?)? ?(?:Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)


def _attempt(read: Callable[[], Value]) -> Value | None:
    try:
        return read()
    except Exception:  # a broken EXIF raises whatever the reader tripped over
        return None


def _text(value: object) -> str:
    """Text in one line: up to the first NUL, without control characters, at most 100 characters."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    printable = "".join(c if c.isprintable() else " " for c in value.lstrip("\0").partition("\0")[0])
    return " ".join(printable.split())[:100].strip()


def _date(value: object) -> datetime | None:
    match = _DATE_PATTERN.fullmatch(_text(value))
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        taken_at = datetime(year, month, day, hour, minute, min(second, 59))  # a leap second is 60
    except ValueError:
        return None
    # The first photograph was taken in 1826; a year far ahead is a broken clock.
    return taken_at if 1826 <= year <= 2100 else None


def _camera(make: str, model: str) -> str | None:
    """ "NIKON CORPORATION", "NIKON D90" → "NIKON D90"; "Apple", "iPhone 12" → "Apple iPhone 12"."""
    if make and model.casefold().startswith(make.split(maxsplit=1)[0].casefold()):
        return model
    return f"{make} {model}".strip() or None


def _position(gps: dict[int, object]) -> tuple[float, float] | tuple[None, None]:
    latitude = _degrees(gps.get(GPS.GPSLatitude), gps.get(GPS.GPSLatitudeRef), "NS", 90)
    longitude = _degrees(gps.get(GPS.GPSLongitude), gps.get(GPS.GPSLongitudeRef), "EW", 180)
    # 0, 0 lies in the sea off Africa; it is what receivers write when they know nothing.
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None, None
    return latitude, longitude


def _degrees(value: object, reference: object, directions: str, limit: int) -> float | None:
    """Degrees, minutes and seconds with "N" or "S", "E" or "W" → signed degrees."""
    parts = value if isinstance(value, tuple) else (value,)
    numbers = _attempt(lambda: [float(part) for part in parts])
    direction = _text(reference).upper()[:1]
    if not numbers or len(numbers) > 3 or not direction or direction not in directions:
        return None
    degrees = math.fsum(number / 60**power for power, number in enumerate(numbers))
    # Minutes and seconds of 60 are met, from rounding. NaN fails every comparison.
    if not all(0 <= number <= 60 for number in numbers[1:]) or not 0 <= degrees <= limit:
        return None
    return -degrees if direction == directions[1] else degrees
