"""Read what is told of many pictures at once: summaries next to hits, and records of all that is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clipsearch.description import NOTHING, Description, to_json
from clipsearch.gallery.details import PictureDetails
from clipsearch.ocr.lines import TextLine
from clipsearch.session.session import Session
from clipsearch.types import ImageMetadata

# Pictures before and after another one.
_NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class PictureSummary:
    """What is told of a picture next to a hit.

    Attributes:
        blake3: hash of the whole file, in hex.
        place: as in `PictureDetails`.
        country: of its coordinates; else the one that is written.
        kind: as in `PictureCollection.kind`.
    """

    content_id: int
    blake3: str
    size_bytes: int
    metadata: ImageMetadata
    place: str | None
    country: str | None
    kind: str | None

    @property
    def description(self) -> Description:
        """What is written about it; nothing where that was not read."""
        return self.metadata.description or NOTHING


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """All that is known of a picture.

    Attributes:
        details: its files, hash and metadata.
        lines: of text that were read in it, from top to bottom.
        stack: content ids of the others that are one item with it, the best first.
        albums: names of those it is in.
        parts: number of scenes, pages or crops; 0 for a picture of one part.
        before: content ids of the pictures that were taken before it, up to 3, the nearest first.
        after: likewise, taken after it. Both are empty where its date is unknown or doubtful.
    """

    details: PictureDetails
    summary: PictureSummary
    lines: tuple[TextLine, ...]
    stack: tuple[int, ...]
    albums: tuple[str, ...]
    parts: int
    before: tuple[int, ...]
    after: tuple[int, ...]


def summary_json(summary: PictureSummary | None) -> dict[str, Any]:
    """Return a summary as JSON, the same names whatever is known; None: of a picture that was deleted meanwhile."""
    metadata = None if summary is None else summary.metadata
    taken_at = None if metadata is None or metadata.taken_at is None else metadata.taken_at.isoformat()
    return {
        "taken_at": taken_at,
        **{name: getattr(metadata, name, None) for name in ("is_date_doubtful", "camera")},
        **{name: getattr(summary, name, None) for name in ("place", "country")},
        **{name: getattr(metadata, name, None) for name in ("latitude", "longitude", "width", "height")},
        "size_bytes": getattr(summary, "size_bytes", None),
        **{name: getattr(metadata, name, None) for name in ("format", "duration_s")},
        "kind": getattr(summary, "kind", None),
        "description": {} if summary is None else to_json(summary.description),
        **{name: getattr(metadata, name, None) for name in ("sharpness", "brightness")},
    }


def find_summaries(content_ids: Sequence[int], session: Session) -> dict[int, PictureSummary]:
    """Return what is told of pictures by content id; unknown ones are left out.

    In a few statements for all of them, and one search for all places.
    """
    known = session.store.reader.details(content_ids)
    kinds = session.store.written_rows.kinds(list(known))
    places = _find_places({number: each.metadata for number, each in known.items()})
    return {
        number: PictureSummary(
            number, each.blake3.hex(), each.size_bytes, each.metadata, *places[number], kinds.get(number)
        )
        for number, each in known.items()
    }


def _find_places(pictures: Mapping[int, ImageMetadata]) -> dict[int, tuple[str | None, str | None]]:
    """Return place and country of pictures by content id, as `PictureDetails.place` finds them one by one."""
    found: dict[int, tuple[str | None, str | None]] = {}
    for number, metadata in pictures.items():
        written = metadata.description or NOTHING
        names = (written.location, written.city, written.region, written.country)
        found[number] = ", ".join(filter(None, names)) or None, written.country
    located = {
        number: (each.latitude, each.longitude)
        for number, each in pictures.items()
        if each.latitude is not None and each.longitude is not None
    }
    if located:
        from clipsearch.places import find_places, place_of

        latitudes, longitudes = zip(*located.values(), strict=True)
        for number, code in zip(located, find_places(latitudes, longitudes).tolist(), strict=True):
            place = place_of(code)
            if place is not None:
                found[number] = place.full_name, place.country
    return found


def find_records(pictures: Sequence[PictureDetails], session: Session) -> list[PictureRecord]:
    """Return all that is known of pictures, in their order."""
    ids = [details.content_id for details in pictures]
    summaries, store = find_summaries(ids, session), session.store
    written, stacks = store.written_rows.some(ids), store.reader.stacks.of_contents(ids)
    parts, albums = store.reader.parts.of_contents(ids), store.album_rows.albums_of(ids)
    found = []
    for details in pictures:
        number = details.content_id
        if number not in summaries:  # deleted meanwhile
            continue
        before, after = session.columns.ask(lambda columns: columns.neighbours(number, _NEIGHBOURS))  # noqa: B023
        found.append(
            PictureRecord(
                details,
                summaries[number],
                tuple(written[number].lines) if number in written else (),
                tuple(each for each in stacks.get(number, ()) if each != number),
                tuple(albums.get(number, ())),
                sum(part is not None for _, part in parts.get(number, ())),
                tuple(before),
                tuple(after),
            )
        )
    return found
