"""Records of picture details and of the facets of a catalog."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clipsearch.description import NOTHING, WrittenFacets
from clipsearch.renamed import get_renamed
from clipsearch.types import ImageMetadata

SMALL_SIDE, LARGE_SIDE = 512, 2048
"""Sides of thumbnails in pixels: for a grid on a dense screen, and for a full screen."""


@dataclass(frozen=True, slots=True)
class PictureDetails:
    """Details of one picture of the catalog.

    Attributes:
        content_id: SQL key of the content.
        paths: absolute, of all files with this content; existing files first.
        blake3: hash of the whole file, in hex.
        metadata: size, format, camera, date and place of the picture.
        added_at: time when it was first indexed, UTC.
    """

    content_id: int
    paths: tuple[str, ...]
    blake3: str
    size_bytes: int
    metadata: ImageMetadata
    added_at: datetime

    @property
    def place(self) -> str | None:
        """The city or town of its coordinates, as in "Munich, Bavaria, Germany"; else the names that are written."""
        metadata, described = self.metadata, self.metadata.description or NOTHING
        if metadata.latitude is not None and metadata.longitude is not None:
            from clipsearch.places import find_place

            found = find_place(metadata.latitude, metadata.longitude)
            if found is not None:
                return found.full_name
        names = (described.location, described.city, described.region, described.country)
        return ", ".join(filter(None, names)) or None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            return get_renamed(self, name)


@dataclass(frozen=True, slots=True)
class OnThisDay:
    """Pictures of a day and month in earlier years.

    Attributes:
        query: in the query language; its hits have doubtful dates too, as the last ones.
        years: number of pictures by year, without doubtful dates; empty without any.
    """

    query: str
    years: dict[int, int]

    @property
    def pictures(self) -> int:
        """Number of pictures."""
        return sum(self.years.values())


@dataclass(frozen=True, slots=True)
class CatalogFacets:
    """Values that the pictures of a catalog can be filtered by, with the number of pictures of each.

    Attributes:
        folders: the indexed folders; of a query, those with a picture that passes.
        blurred, dark: number of pictures that pass `is:blurred` and `is:dark`.
        first_taken, last_taken: None when no picture has a date that is not doubtful.
        pictures: number of pictures.
        written: what is written about them.
        albums: number of pictures of each album, without empty ones.
    """

    cameras: dict[str, int]
    formats: dict[str, int]
    folders: tuple[str, ...]
    first_taken: datetime | None
    last_taken: datetime | None
    blurred: int = 0
    dark: int = 0
    pictures: int = 0
    written: WrittenFacets = field(default_factory=WrittenFacets)
    albums: dict[str, int] = field(default_factory=dict)
