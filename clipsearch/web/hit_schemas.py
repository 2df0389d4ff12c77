"""Describe hits of the HTTP API, with what is told of their pictures; fields are documented in /openapi.json."""

import math
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from clipsearch.gallery import duplicates
from clipsearch.gallery.summaries import PictureSummary
from clipsearch.parts import Part
from clipsearch.query import phrases
from clipsearch.search.hits import SearchHit
from clipsearch.web.part_schemas import Line, PartOf
from clipsearch.web.schemas import LocalTime, Relevance, Score, name_of

Summaries = Mapping[int, PictureSummary]
"""What is told of pictures by content id, see `PictureCollection.summaries`."""


KIND: Any = Field(
    default=None, description="`screenshot`, `receipt`, `document` or `whiteboard`; null: none of these, or not read."
)


class Ranked(BaseModel):
    id: int = Field(description="Content id of the picture.")
    rank: int = Field(ge=1)
    score: Score
    relevance: Relevance
    name: str = Field(description="Name of its file, without the folder.")
    part: PartOf | None = Field(default=None, description="Of several parts the one found; null: the whole picture.")
    stack: list[int] = Field(default=[], description="Ids of the others in its stack, the best first.")
    written: str | None = Field(
        default=None,
        description="What is written about it, or was read in it, around the words; null where it does not have them.",
    )
    line: Line | None = Field(default=None, description="The line that `written` quotes, where it was read.")


class Told(BaseModel):
    """What is told of a picture next to a hit; null where it is unknown."""

    taken_at: LocalTime | None = Field(default=None, description="Local time of the camera, without a time zone.")
    is_date_doubtful: bool = Field(
        default=False, description="The date is in the future, or of a clock that was never set."
    )
    camera: str | None = None
    place: str | None = Field(
        default=None, description="City or town of its coordinates, else the names written in it."
    )
    country: str | None = Field(default=None, description="Country of its coordinates, else the one written in it.")
    latitude: float | None = None
    longitude: float | None = None
    width: int | None = Field(default=None, description="In pixels, of the upright picture.")
    height: int | None = None
    size_bytes: int | None = None
    format: str | None = None
    title: str | None = Field(default=None, description="Written in the picture or beside it, like those that follow.")
    caption: str | None = None
    rating: int | None = Field(default=None, description="1 to 5; 0: not rated, -1: rejected.")

    @staticmethod
    def values_of(summary: PictureSummary | None) -> dict[str, Any]:
        """Return the fields of a picture; none of one that was deleted meanwhile."""
        if summary is None:
            return {}
        metadata, described = summary.metadata, summary.description
        return {
            "taken_at": metadata.taken_at,
            "is_date_doubtful": metadata.is_date_doubtful,
            "camera": metadata.camera,
            "place": summary.place,
            "country": summary.country,
            "latitude": metadata.latitude,
            "longitude": metadata.longitude,
            "width": metadata.width,
            "height": metadata.height,
            "size_bytes": summary.size_bytes,
            "format": metadata.format,
            "title": described.title,
            "caption": described.caption,
            "rating": described.rating,
        }


class FoundPicture(Told, Ranked):  # pydantic lists the fields of the last one first
    thumbnail_url: str = Field(description="Of a small JPEG of it, or of the part.")
    original_url: str = Field(description="Of its file.")

    @staticmethod
    def values_of_hit(hit: SearchHit, summaries: Summaries) -> dict[str, Any]:
        summary = summaries.get(hit.content_id)
        return Told.values_of(summary) | {
            "id": hit.content_id,
            "rank": hit.rank,
            "score": None if math.isnan(hit.score) else hit.score,
            "relevance": hit.relevance,
            "name": name_of(hit.path),
            "part": None if hit.part is None else PartOf.of(hit.part),
            "stack": list(hit.stack),
            "written": hit.written,
            "line": None if hit.line is None else Line.of(hit.line),
            "thumbnail_url": thumbnail_url(hit.content_id, None if summary is None else summary.blake3, hit.part),
            "original_url": original_url(hit.content_id),
        }


class Hit(FoundPicture):
    kind: str | None = KIND

    @classmethod
    def of(cls, hit: SearchHit, summaries: Summaries) -> "Hit":
        summary = summaries.get(hit.content_id)
        return cls(**cls.values_of_hit(hit, summaries), kind=None if summary is None else summary.kind)


class NearDuplicate(FoundPicture):
    kind: Literal["exact", "copy", "similar"] = Field(
        description="copy: the better of the two shows all that the other shows; similar: another frame of a burst, or "
        "another version."
    )

    @classmethod
    def of(cls, hit: duplicates.NearDuplicate, summaries: Summaries) -> "NearDuplicate":
        return cls(**cls.values_of_hit(hit, summaries), kind=hit.kind)


def thumbnail_url(content_id: int, blake3: str | None, part: Part | None = None) -> str:
    """Return the URL of a thumbnail, with the start of the picture's hash where it is known, so that it is cached."""
    values = {"v": None if blake3 is None else blake3[:16], "part": None if part is None else part.fragment}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items() if value is not None)
    return f"/api/thumbnail/{content_id}" + (f"?{query}" if query else "")


def original_url(content_id: int) -> str:
    return f"/api/original/{content_id}"


_EXAMPLE: Any = {
    "id": 23,
    "rank": 1,
    "score": 0.397,
    "relevance": 0.965,
    "name": "donut.png",
    "stack": [24],
    "written": "food/donut.png",
    "taken_at": "2024-05-17T09:30:00",
    "place": "Munich, Bavaria, Germany",
    "country": "Germany",
    "latitude": 48.137,
    "longitude": 11.575,
    "width": 640,
    "height": 480,
    "size_bytes": 51234,
    "format": "JPEG",
    "thumbnail_url": "/api/thumbnail/23?v=0f3a5c7e9b1d2f40",
    "original_url": "/api/original/23",
}


class Phrase(BaseModel):
    text: str = Field(description="Words of the query.")
    meaning: str = Field(description="What they mean, in the query language.", examples=["taken:2023-07"])
    is_applied: bool = Field(description="Whether they were taken so; else they stayed words.")
    other: str = Field(description="The query with the other choice.")

    @classmethod
    def of(cls, phrase: phrases.Phrase) -> "Phrase":
        return cls(text=phrase.text, meaning=phrase.meaning, is_applied=phrase.is_applied, other=phrase.other)


class SearchResult(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "query": "a glazed donut",
                "model": "starter",
                "phrases": [],
                "suggestion": None,
                "unmeasured": 0,
                "hits": [_EXAMPLE],
                "next": "WzEsMjMsNDAsIjZmMGE0ZTgxYjYyYzdkMTAiXQ",
            }
        }
    )

    query: str
    model: str = Field(description="Name of the model of the embeddings.")
    phrases: list[Phrase] = Field(description="Its words that mean a filter or something to exclude.")
    suggestion: str | None = Field(
        default=None, description="The query with typing errors corrected; null without any."
    )
    unmeasured: int = Field(
        description="Pictures that its filters know nothing of, as an earlier version has not read them for that."
    )
    hits: list[Hit]
    next: str | None = Field(description="Cursor for `after`; null on the last page.")
