"""What is known of single pictures, how they look small, and what there is to choose from."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import ImageReadError, InputError, UnknownPictureError
from clipsearch.images.thumbnail_cache import ThumbnailCache
from clipsearch.session.session import CatalogParts

SMALL_SIDE, LARGE_SIDE = 512, 2048
"""Of thumbnails, in pixels: for a grid of pictures on a dense screen, and to fill one."""

# What a JPEG can have. Source: ITU-T T.81, B.2.2
_MOST_SIDE = 65_535


@dataclass(frozen=True, slots=True)
class PictureDetails:
    """One picture of the catalog.

    Attributes:
        content_id: the catalog's number.
        paths: absolute, of all files with this content; those that are there first.
        blake3: of the whole file, in hex.
        width, height: of the upright picture.
        format: Pillow's name of it.
        taken_at: the camera's local time.
        latitude, longitude: in degrees.
        added_at: when it was indexed first, UTC.
        is_date_doubtful: the date is what a clock shows that was never set, or in the future.
    """

    content_id: int
    paths: tuple[str, ...]
    blake3: str
    size_bytes: int
    width: int
    height: int
    format: str
    taken_at: datetime | None
    camera: str | None
    latitude: float | None
    longitude: float | None
    added_at: datetime
    is_date_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class CatalogFacets:
    """What the pictures of a catalog can be told apart by, with how many there are of each.

    Attributes:
        folders: those that were indexed.
        first_taken, last_taken: None where no picture has a date that is not doubtful.
    """

    cameras: dict[str, int]
    formats: dict[str, int]
    folders: tuple[str, ...]
    first_taken: datetime | None
    last_taken: datetime | None


def find_details(content_ids: Sequence[int], parts: CatalogParts) -> list[PictureDetails]:
    """Of these pictures, in their order; those without a file are left out."""
    reader = parts.store.reader
    known, paths = reader.details(content_ids), reader.paths(content_ids)
    return [
        PictureDetails(
            content_id=content_id,
            paths=tuple(sorted(paths[content_id], key=lambda path: not os.path.lexists(path))),
            blake3=its.blake3.hex(),
            size_bytes=its.size_bytes,
            width=its.width,
            height=its.height,
            format=its.format,
            taken_at=its.taken_at,
            camera=its.camera,
            latitude=its.latitude,
            longitude=its.longitude,
            added_at=its.added_at,
            is_date_doubtful=its.is_date_doubtful,
        )
        for content_id in content_ids
        if content_id in paths and (its := known.get(content_id)) is not None
    ]


def get_details(content_id: int, parts: CatalogParts) -> PictureDetails:
    """
    Raises:
        UnknownPictureError: the catalog has no picture with that number.
    """
    found = find_details([content_id], parts)
    if not found:
        raise UnknownPictureError(content_id)
    return found[0]


def get_embedding(content_id: int, parts: CatalogParts) -> NDArray[np.float32]:
    """Arguments, result and errors as in `Catalog.embedding`."""
    parts.require_pictures()
    row = parts.model.row
    found = parts.store.reader.find_embedding(content_id, model_id=row.model_id, dim=row.dim)
    if found is None:
        raise UnknownPictureError(content_id)
    return found


def find_facets(parts: CatalogParts) -> CatalogFacets:
    reader = parts.store.reader
    period = reader.taken_between()
    return CatalogFacets(
        cameras=reader.count_by("camera"),
        formats=reader.count_by("format"),
        folders=tuple(reader.folders()),
        first_taken=period[0] if period else None,
        last_taken=period[1] if period else None,
    )


def thumbnail_of(content_id: int, side: int, parts: CatalogParts, cache: ThumbnailCache) -> bytes:
    """Arguments, result and errors as in `Catalog.thumbnail`."""
    if not 1 <= side <= _MOST_SIDE:
        raise InputError(f"a thumbnail has 1 to {_MOST_SIDE:,} pixels a side, not {side}")
    details = get_details(content_id, parts)
    content = bytes.fromhex(details.blake3)
    return cache.get(content, side, lambda: _make_thumbnail(details, side, content, parts))


def _make_thumbnail(details: PictureDetails, side: int, content: bytes, parts: CatalogParts) -> bytes:
    reason = "not there: moved, deleted, or on a drive that is not mounted"
    for path in details.paths:
        try:
            with parts.workers.open_path(path) as picture:
                if picture.blake3 == content:
                    return picture.shrink(side).jpeg
                reason = "it has changed since it was indexed"
        except FileNotFoundError:
            continue
        except OSError as error:
            reason = error.strerror or str(error)
    raise ImageReadError(f"no picture to show of {details.paths[0]}: {reason}")


def embed_file(path: str, parts: CatalogParts) -> NDArray[np.float32]:
    """Arguments, result and errors as in `Catalog.embed_file`."""
    try:
        with parts.upload_workers.open_path(path) as picture:
            crop, _ = picture.decode()
    except FileNotFoundError as error:
        raise InputError(f"no picture {path}") from error
    except OSError as error:
        raise ImageReadError(f"can't read the picture {path}: {error.strerror or error}") from error
    except ImageReadError as error:
        raise ImageReadError(f"can't read the picture {path}: {error}") from error
    embedding: NDArray[np.float32] = parts.model.encoder.encode_images(crop[np.newaxis])[0]
    return embedding
