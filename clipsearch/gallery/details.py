"""Read the details, embeddings and thumbnails of stored pictures, and the facets of a catalog."""

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
"""Sides of thumbnails in pixels: for a grid on a dense screen, and for a full screen."""

# Maximum side of a JPEG. Source: ITU-T T.81, B.2.2
_MAX_SIDE = 65_535


@dataclass(frozen=True, slots=True)
class PictureDetails:
    """Details of one picture of the catalog.

    Attributes:
        content_id: SQL key of the content.
        paths: absolute, of all files with this content; existing files first.
        blake3: hash of the whole file, in hex.
        width, height: in pixels, of the upright picture.
        format: Pillow's format name.
        taken_at: local time of the camera.
        latitude, longitude: in degrees.
        added_at: time when it was first indexed, UTC.
        is_date_doubtful: the date is in the future, or that of a camera clock that was never set.
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
    """Values that the pictures of a catalog can be filtered by, with the number of pictures of each.

    Attributes:
        folders: the indexed folders.
        first_taken, last_taken: None when no picture has a date that is not doubtful.
    """

    cameras: dict[str, int]
    formats: dict[str, int]
    folders: tuple[str, ...]
    first_taken: datetime | None
    last_taken: datetime | None


def find_details(content_ids: Sequence[int], parts: CatalogParts) -> list[PictureDetails]:
    """Return the details of pictures, in the order of `content_ids`; those without a file are omitted."""
    reader = parts.store.reader
    known, paths = reader.details(content_ids), reader.paths(content_ids)
    return [
        PictureDetails(
            content_id=content_id,
            paths=tuple(sorted(paths[content_id], key=lambda path: not os.path.lexists(path))),
            blake3=record.blake3.hex(),
            size_bytes=record.size_bytes,
            width=record.width,
            height=record.height,
            format=record.format,
            taken_at=record.taken_at,
            camera=record.camera,
            latitude=record.latitude,
            longitude=record.longitude,
            added_at=record.added_at,
            is_date_doubtful=record.is_date_doubtful,
        )
        for content_id in content_ids
        if content_id in paths and (record := known.get(content_id)) is not None
    ]


def get_details(content_id: int, parts: CatalogParts) -> PictureDetails:
    """Return the details of one picture.

    Raises:
        UnknownPictureError: the catalog has no picture with this id.
    """
    found = find_details([content_id], parts)
    if not found:
        raise UnknownPictureError(content_id)
    return found[0]


def get_embedding(content_id: int, parts: CatalogParts) -> NDArray[np.float32]:
    """Return the stored embedding of a picture; arguments, result and errors as in `Catalog.embedding`."""
    parts.require_pictures()
    row = parts.model.row
    found = parts.store.reader.find_embedding(content_id, model_id=row.model_id, dim=row.dim)
    if found is None:
        raise UnknownPictureError(content_id)
    return found


def find_facets(parts: CatalogParts) -> CatalogFacets:
    """Return the facets of the catalog; of an empty one they are empty."""
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
    """Return the thumbnail of a picture; arguments, result and errors as in `Catalog.thumbnail`."""
    if not 1 <= side <= _MAX_SIDE:
        raise InputError(f"the side of a thumbnail must be 1 to {_MAX_SIDE:,} pixels, got {side}")
    details = get_details(content_id, parts)
    content = bytes.fromhex(details.blake3)
    return cache.get(content, side, lambda: _make_thumbnail(details, side, content, parts))


def _make_thumbnail(details: PictureDetails, side: int, content: bytes, parts: CatalogParts) -> bytes:
    reason = "file not found: moved, deleted, or on a drive that is not mounted"
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
    raise ImageReadError(f"can't show {details.paths[0]}: {reason}")


def embed_file(path: str, parts: CatalogParts) -> NDArray[np.float32]:
    """Embed a picture file; arguments, result and errors as in `Catalog.embed_file`."""
    try:
        with parts.upload_workers.open_path(path) as picture:
            crop, _ = picture.decode()
    except FileNotFoundError as error:
        raise InputError(f"no such picture: {path}") from error
    except OSError as error:
        raise ImageReadError(f"can't read the picture {path}: {error.strerror or error}") from error
    except ImageReadError as error:
        raise ImageReadError(f"can't read the picture {path}: {error}") from error
    embedding: NDArray[np.float32] = parts.model.encoder.encode_images(crop[np.newaxis])[0]
    return embedding
