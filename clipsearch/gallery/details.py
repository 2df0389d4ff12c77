"""What is known of single pictures, and what there is to filter them by."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clipsearch.renamed import get_renamed
from clipsearch.types import ImageMetadata

SMALL_SIDE, LARGE_SIDE = 512, 2048
"""Of thumbnails, in pixels: for a grid of pictures on a dense screen, and to fill one."""


@dataclass(frozen=True, slots=True)
class PictureDetails:
    """One picture of the catalog.

    Attributes:
        content_id: the catalog's number.
        paths: absolute, of all files with this content; those that are there first.
        blake3: of the whole file, in hex.
        metadata: what the picture says about itself.
        added_at: when it was indexed first, UTC.
    """

    content_id: int
    paths: tuple[str, ...]
    blake3: str
    size_bytes: int
    metadata: ImageMetadata
    added_at: datetime

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            return get_renamed(self, name)


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
