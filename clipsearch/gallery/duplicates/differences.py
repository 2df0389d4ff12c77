"""Compare what is known of files, so that the one to keep can be chosen."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from clipsearch.description import NOTHING
from clipsearch.gallery.details import PictureDetails
from clipsearch.images.xmp.sidecars import sidecar_of
from clipsearch.ocr.lines import TextLine
from clipsearch.quantities import size
from clipsearch.types import ImageMetadata

# Characters of a text that are compared.
_MOST_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class ComparedProperty:
    """Property of several files.

    Attributes:
        name: what it is, as in "pixels".
        values: of each file, in words; "" where it is unknown or there is none.
    """

    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


def compare_properties(
    files: Sequence[tuple[PictureDetails, str]],
    albums: Mapping[int, Sequence[str]],
    texts: Mapping[int, Sequence[TextLine]],
) -> list[ComparedProperty]:
    """Compare files, each the details of its content and its path; what is unknown of all is omitted.

    Args:
        albums, texts: names of the albums that a content is in, and the lines that were read in it, by content id.
    """
    details = [each for each, _ in files]
    paths = [path for _, path in files]
    metadata = [each.metadata for each in details]
    described = [each.description or NOTHING for each in metadata]
    ids = [each.content_id for each in details]
    properties: dict[str, list[object]] = {
        "pixels": [f"{each.width} × {each.height}" for each in metadata],
        "size": [*_sizes([each.size_bytes for each in details])],
        "format": [each.format for each in metadata],
        "taken": [each.taken_at for each in metadata],
        "camera": [each.camera for each in metadata],
        "place": [each.place for each in details],
        "position": [_position(each) for each in metadata],
        "folder": [PurePath(path).parent for path in paths],
        "name": [PurePath(path).name for path in paths],
        "sharpness": [each.sharpness for each in metadata],
        "title": [each.title for each in described],
        "rating": [each.rating or None for each in described],
        "label": [each.label for each in described],
        "keywords": [", ".join(each.keywords) for each in described],
        "people": [", ".join(each.people) for each in described],
        "albums": [", ".join(albums.get(each, ())) for each in ids],
        "sidecar": [_sidecar(path) for path in paths],
        "text": [_start_of(texts.get(each, ())) for each in ids],
    }
    found = {name: tuple("" if each is None else str(each) for each in values) for name, values in properties.items()}
    return [ComparedProperty(name, values) for name, values in found.items() if any(values)]


def _sizes(sizes_bytes: Sequence[int]) -> list[str]:
    """Format sizes: those that look equal and are not are told apart by their bytes."""
    texts = [size(each) for each in sizes_bytes]
    if len(set(texts)) == len(set(sizes_bytes)):
        return texts
    return [f"{each:,} bytes" for each in sizes_bytes]


def _position(metadata: ImageMetadata) -> str | None:
    latitude, longitude = metadata.latitude, metadata.longitude
    return None if latitude is None or longitude is None else f"{latitude:.4f}, {longitude:.4f}"


def _sidecar(path: str) -> str:
    found = sidecar_of(Path(path))
    return found.name if os.path.lexists(found) else ""


def _start_of(lines: Sequence[TextLine]) -> str:
    plain = " ".join(" ".join(each.text for each in lines).split())
    return plain if len(plain) <= _MOST_CHARACTERS else plain[: _MOST_CHARACTERS - 2] + " …"
