"""Describe single pictures and events in the HTTP API; fields are documented in /openapi.json."""

from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import BaseModel, Field

from clipsearch.gallery import events
from clipsearch.gallery.details import PictureDetails
from clipsearch.gallery.summaries import PictureRecord
from clipsearch.web.hit_schemas import KIND, original_url, thumbnail_url
from clipsearch.web.schemas import Described, LocalTime, name_of

# Lines of text of a record; all of them have a route of their own.
_MOST_LINES = 100


class Item(BaseModel):
    id: int
    name: str
    paths: list[str] = Field(description="Of all files with this content, existing files first.")
    blake3: str = Field(description="Of the whole file, in hex.")
    size_bytes: int
    width: int = Field(description="In pixels, of the upright picture.")
    height: int
    format: str
    taken_at: LocalTime | None = Field(description="Local time of the camera, without a time zone.")
    camera: str | None
    latitude: float | None
    longitude: float | None
    added_at: datetime = Field(description="Time when it was first indexed, UTC.")
    is_date_doubtful: bool = Field(description="The date is in the future, or of a clock that was never set.")
    sharpness: int | None = Field(description="0 to 100, as `sharp:` compares it; null: not measured yet.")
    brightness: int | None = Field(description="0 to 100, as `bright:` compares it; null: not measured yet.")
    duration_s: float | None = Field(description="Of a film or an animation, in seconds; null for a picture.")
    place: str | None = Field(description="City or town of its coordinates, else the names written in it.")
    description: Described | None = Field(description="null: not read, by an earlier version.")

    @classmethod
    def of(cls, details: PictureDetails) -> "Item":
        metadata = details.metadata
        return cls(
            id=details.content_id,
            name=name_of(details.paths[0]),
            paths=[path.encode("utf-8", "replace").decode() for path in details.paths],
            blake3=details.blake3,
            size_bytes=details.size_bytes,
            width=metadata.width,
            height=metadata.height,
            format=metadata.format,
            taken_at=metadata.taken_at,
            camera=metadata.camera,
            latitude=metadata.latitude,
            longitude=metadata.longitude,
            added_at=details.added_at.replace(tzinfo=UTC),
            is_date_doubtful=metadata.is_date_doubtful,
            sharpness=metadata.sharpness,
            brightness=metadata.brightness,
            duration_s=metadata.duration_s,
            place=details.place,
            description=None if metadata.description is None else Described.of(metadata.description),
        )


class Record(Item):
    """All that is known of a picture."""

    country: str | None = Field(description="Country of its coordinates, else the one written in it.")
    kind: str | None = KIND
    text: list[str] = Field(description=f"First {_MOST_LINES} lines that were read in it; `/text` of the item has all.")
    text_lines: int = Field(ge=0, description="Number of all lines.")
    parts: int = Field(ge=0, description="Number of scenes, pages or crops; 0 for a picture of one part.")
    stack: list[int] = Field(description="Ids of the others in its stack, the best first.")
    albums: list[str] = Field(description="Names of the albums that it is in.")
    before: list[int] = Field(
        description="Ids of the pictures taken before it, the nearest first; without a date none."
    )
    after: list[int] = Field(description="Ids of those taken after it.")
    thumbnail_url: str = Field(description="Of a small JPEG of it.")
    original_url: str = Field(description="Of its file.")

    @classmethod
    def of_record(cls, record: PictureRecord) -> "Record":
        details, summary = record.details, record.summary
        return cls(
            **Item.of(details).model_dump() | {"place": summary.place},
            country=summary.country,
            kind=summary.kind,
            text=[line.text for line in record.lines[:_MOST_LINES]],
            text_lines=len(record.lines),
            parts=record.parts,
            stack=list(record.stack),
            albums=list(record.albums),
            before=list(record.before),
            after=list(record.after),
            thumbnail_url=thumbnail_url(details.content_id, details.blake3),
            original_url=original_url(details.content_id),
        )


class Records(BaseModel):
    pictures: list[Record] = Field(description="In the order of the ids.")
    missing: list[int] = Field(description="Ids of no picture of the catalog.")

    @classmethod
    def of(cls, records: Iterable[PictureRecord], ids: Iterable[int]) -> "Records":
        found = [Record.of_record(record) for record in records]
        known = {each.id for each in found}
        return cls(pictures=found, missing=[each for each in ids if each not in known])


class Event(BaseModel):
    first_taken: LocalTime = Field(description="Local time of the camera, without a time zone.")
    last_taken: LocalTime
    pictures: int = Field(ge=1, description="Number of pictures.")
    place: str | None = Field(description="City or town, as in `Munich, Bavaria, Germany`.")
    country: str | None
    id: int = Field(description="Content id of the picture that represents it.")
    thumbnail_url: str = Field(description="Of that picture.")
    query: str = Field(description="Query of the pictures of its days.", examples=["taken:2024-07-04"])

    @classmethod
    def of(cls, event: events.Event) -> "Event":
        return cls(
            first_taken=event.first_taken,
            last_taken=event.last_taken,
            pictures=event.pictures,
            place=event.place,
            country=event.country,
            id=event.content_id,
            thumbnail_url=thumbnail_url(event.content_id, None),
            query=event.query,
        )


class Events(BaseModel):
    query: str
    events: list[Event] = Field(description="The last begun first.")
    total: int = Field(ge=0, description="Number of events of all pages.")
    undated: int = Field(ge=0, description="Pictures in no event: their date is unknown or doubtful.")
    next: str | None = Field(description="Cursor for `after`; null on the last page.")
