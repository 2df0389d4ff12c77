"""Convert rows of `contents`, whose values are untrusted, to records."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from clipsearch.description import unpack
from clipsearch.errors import StoreError
from clipsearch.store.records import REPAIR_HINT, ContentDetails
from clipsearch.types import ImageMetadata

DETAIL_COLUMNS = (
    "c.content_id, c.blake3, c.size_bytes, c.width, c.height, c.format, c.taken_at, c.camera, c.latitude, c.longitude, "
    "c.added_at, c.is_date_doubtful, c.sharpness, c.brightness, c.duration_s, c.described"
)
"""Columns of `contents c` that `content_details` takes, in their order."""


def content_details(row: Sequence[Any]) -> ContentDetails:
    """Convert a row of `contents`, its columns those of `DETAIL_COLUMNS`."""
    content_id, blake3, *sizes, image_format, taken_at, camera, latitude, longitude, added_at = row[:11]
    is_date_doubtful, *measures, duration_s, described = row[11:]
    numbers(sizes)
    if not (
        all(value is None or isinstance(value, int | float) for value in (latitude, longitude, duration_s))
        and all(value is None or isinstance(value, int) for value in measures)
        and isinstance(image_format, str)
        and isinstance(camera, str | None)
    ):
        raise StoreError(f"the metadata of picture {content_id} is damaged; {REPAIR_HINT}")
    try:
        taken_at, added_at = None if taken_at is None else as_time(taken_at), as_time(added_at)
    except (ValueError, TypeError) as error:
        raise StoreError(f"the metadata of picture {content_id} is damaged; {REPAIR_HINT}") from error
    size_bytes, width, height = sizes
    sharpness, brightness = measures
    metadata = ImageMetadata(
        width,
        height,
        image_format,
        taken_at,
        camera,
        latitude,
        longitude,
        is_date_doubtful=bool(is_date_doubtful),
        sharpness=sharpness,
        brightness=brightness,
        duration_s=duration_s,
        description=None if described is None else unpack(described),
    )
    return ContentDetails(content_id, blake3, size_bytes, metadata, added_at)


def as_time(value: str | datetime) -> datetime:
    """Convert a stored time: SQLite keeps times as text."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def numbers(values: Sequence[Any]) -> tuple[Any, ...]:
    """Check that all values are numbers, or raise StoreError."""
    if not all(isinstance(value, int) for value in values):
        raise StoreError(f"the metadata of a picture is damaged; {REPAIR_HINT}")
    return tuple(values)
