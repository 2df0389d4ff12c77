"""Define the response models of the HTTP API; fields are documented in /openapi.json."""

import math
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from clipsearch import types
from clipsearch.description import Description
from clipsearch.gallery import curation, details, duplicates
from clipsearch.gallery.details import CatalogFacets, PictureDetails
from clipsearch.query import phrases
from clipsearch.search import narrowing
from clipsearch.search.hits import SearchHit
from clipsearch.types import CaptionHit, LabelHit
from clipsearch.web.errors import MEDIA_TYPE
from clipsearch.web.part_schemas import Line, PartOf

Relevance = Annotated[float, Field(ge=0, le=1, description="Calibrated probability that it matches.")]
# The format "date-time" would need a time zone (RFC 3339).
LocalTime = Annotated[datetime, WithJsonSchema({"type": "string", "examples": ["2024-05-17T09:30:00"]})]
Score = Annotated[
    float | None,
    Field(description="Cosine, -1 to 1, higher is better; null for a query of filters only.", ge=-1.01, le=1.01),
]


def name_of(path: str) -> str:
    """Return a file's name for display: invalid UTF-8 becomes "?"."""
    return PurePath(path).name.encode("utf-8", "replace").decode()


class Problem(BaseModel):
    """An error in the format of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    position: int | None = Field(default=None, description="Offset of the error in the query, in characters from 0.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of a route: those of all routes, and some more statuses."""
    return {
        status: {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": "An error."}
        for status in (400, 409, 422, 500, 503, *statuses)
    }


class Hit(BaseModel):
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

    @classmethod
    def of(cls, hit: SearchHit) -> "Hit":
        score = None if math.isnan(hit.score) else hit.score
        part = None if hit.part is None else PartOf.of(hit.part)
        return cls(
            id=hit.content_id,
            rank=hit.rank,
            score=score,
            relevance=hit.relevance,
            name=name_of(hit.path),
            part=part,
            stack=list(hit.stack),
            written=hit.written,
            line=None if hit.line is None else Line.of(hit.line),
        )


class NearDuplicate(Hit):
    kind: Literal["exact", "copy", "similar"] = Field(
        description="copy: the better of the two shows all that the other shows; similar: another frame of a burst, or "
        "another version."
    )

    @classmethod
    def of_duplicate(cls, hit: duplicates.NearDuplicate) -> "NearDuplicate":
        return cls(**Hit.of(hit).model_dump(), kind=hit.kind)


_EXAMPLE: Any = {
    "id": 23,
    "rank": 1,
    "score": 0.397,
    "relevance": 0.965,
    "name": "donut.png",
    "stack": [24],
    "written": "food/donut.png",
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


class NarrowerQuery(BaseModel):
    label: str
    query: str = Field(description="The query and the label: `QUERY & label`.")
    count: int = Field(ge=1, description="Of the first 100 relevant hits, those that the label fits.")


class Suggestions(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "did_you_mean": None,
                "narrow": [{"label": "strawberry", "query": "fruit & strawberry", "count": 21}],
                "related": ["apple", "watermelon"],
            }
        }
    )

    did_you_mean: str | None = Field(description="The query with typing errors corrected; null without any.")
    narrow: list[NarrowerQuery] = Field(description="Labels that split the hits, best first.")
    related: list[str] = Field(description="Related queries that pictures of the catalog match, nearest first.")

    @classmethod
    def of(cls, found: narrowing.Suggestions) -> "Suggestions":
        narrow = [NarrowerQuery(label=each.label, query=each.query, count=each.count) for each in found.narrow]
        return cls(did_you_mean=found.did_you_mean, narrow=narrow, related=list(found.related))


class Described(BaseModel):
    """What is written about a picture, in its file and in its sidecars."""

    title: str | None
    caption: str | None
    keywords: list[str] = Field(description="Levels of one are separated by `/`.")
    people: list[str]
    rating: int | None = Field(description="1 to 5; 0: not rated, -1: rejected.")
    label: str | None = Field(description="Colour label, as in `red`.")
    creator: str | None
    copyright: str | None
    location: str | None
    city: str | None
    region: str | None
    country: str | None

    @classmethod
    def of(cls, found: Description) -> "Described":
        named = {name: getattr(found, name) for name in cls.model_fields if name not in ("keywords", "people")}
        return cls(keywords=list(found.keywords), people=list(found.people), **named)


class Facets(BaseModel):
    pictures: int = Field(ge=0, description="Number of pictures that pass the filters, or of all.")
    cameras: dict[str, int] = Field(description="Number of pictures of each camera.")
    formats: dict[str, int] = Field(description="Number of pictures of each format.")
    folders: list[str] = Field(description="Indexed folders with such a picture; without a query, all of them.")
    first_taken: LocalTime | None = Field(description="The first date that is not doubtful; null without any.")
    last_taken: LocalTime | None = Field(description="The last date that is not doubtful; null without any.")
    blurred: int = Field(ge=0, description="Number of pictures that pass `is:blurred`.")
    dark: int = Field(ge=0, description="Number of pictures that pass `is:dark`.")
    tags: dict[str, int] = Field(description="Number of pictures of each keyword, the most frequent 1,000.")
    people: dict[str, int] = Field(description="Of each person, likewise.")
    labels: dict[str, int] = Field(description="Of each colour label.")
    creators: dict[str, int] = Field(description="Of each creator.")
    ratings: dict[int, int] = Field(description="Of each rating, -1 and 1 to 5.")
    places: dict[str, int] = Field(description="Of each city or town, as in `Munich, Bavaria, Germany`.")
    kinds: dict[str, int] = Field(description="Of screenshots, receipts, documents and whiteboards.")

    @classmethod
    def of(cls, found: CatalogFacets) -> "Facets":
        names = ("tags", "people", "labels", "creators", "ratings", "places", "kinds")
        written = {name: getattr(found.written, name) for name in names}
        return cls(
            pictures=found.pictures,
            cameras=found.cameras,
            formats=found.formats,
            folders=list(found.folders),
            first_taken=found.first_taken,
            last_taken=found.last_taken,
            blurred=found.blurred,
            dark=found.dark,
            **{name: dict(counts) for name, counts in written.items()},
        )


class OnThisDay(BaseModel):
    query: str = Field(description="Query of these pictures.", examples=["taken:--07-04 taken:..2025-12-31"])
    years: dict[int, int] = Field(description="Number of pictures by year, without doubtful dates.")

    @classmethod
    def of(cls, found: details.OnThisDay) -> "OnThisDay":
        return cls(query=found.query, years=found.years)


class Caption(BaseModel):
    rank: int = Field(ge=1)
    text: str
    score: Score
    probability: float = Field(ge=0, le=1, description="Over all captions of the catalog, or all candidates.")
    relevance: Relevance | None = Field(description="Probability that a stored caption fits; null for candidates.")

    @classmethod
    def of(cls, hit: CaptionHit) -> "Caption":
        return cls(rank=hit.rank, text=hit.text, score=hit.score, probability=hit.probability, relevance=hit.relevance)


class Captions(BaseModel):
    model: str
    captions: list[Caption]


class Label(BaseModel):
    rank: int = Field(ge=1)
    label: str
    score: Score
    relevance: Relevance

    @classmethod
    def of(cls, hit: LabelHit) -> "Label":
        return cls(rank=hit.rank, label=hit.label, score=hit.score, relevance=hit.relevance)


class Labels(BaseModel):
    model: str
    labels: list[Label]


ContentId = Annotated[int, Field(ge=1, le=1 << 62, description="Content id of a picture.")]

# In a body: neither true nor "3" is an id.
StrictId = Annotated[int, Field(strict=True, ge=1, le=1 << 62, description="Content id of a picture.")]


class Concept(BaseModel):
    name: str = Field(description="Folded; `@name` stands for it in queries.")
    words: str | None = Field(description="That describe it; null without any.")
    positives: list[ContentId] = Field(description="Pictures that show it.")
    negatives: list[ContentId] = Field(description="Pictures that look like it and don't show it.")

    @classmethod
    def of(cls, concept: types.Concept) -> "Concept":
        return cls(
            name=concept.name,
            words=concept.words,
            positives=list(concept.positives),
            negatives=list(concept.negatives),
        )


class Lesson(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "rex", "positives": [3, 8, 12], "negatives": [5], "words": "a dog"}},
    )

    name: str = Field(min_length=1, max_length=200, description="Letters, digits, `-` and `_`.")
    positives: list[StrictId] = Field(default_factory=list, max_length=1000)
    negatives: list[StrictId] = Field(default_factory=list, max_length=1000)
    words: str | None = Field(
        default=None, max_length=1000, description='"" for none. null: unchanged; of a new concept, its name.'
    )


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


class UnusualPicture(BaseModel):
    id: int = Field(description="Content id of the picture.")
    rank: int = Field(ge=1)
    name: str = Field(description="Name of its file, without the folder.")
    similarity: float = Field(description="Mean cosine to its nearest neighbours.")

    @classmethod
    def of(cls, found: curation.UnusualPicture) -> "UnusualPicture":
        return cls(id=found.content_id, rank=found.rank, name=name_of(found.path), similarity=found.similarity)


class RepresentativePicture(BaseModel):
    id: int = Field(description="Content id of the picture.")
    rank: int = Field(ge=1)
    name: str = Field(description="Name of its file, without the folder.")
    pictures: int = Field(description="Number of the pictures that it stands for, itself included.")

    @classmethod
    def of(cls, found: curation.RepresentativePicture) -> "RepresentativePicture":
        return cls(id=found.content_id, rank=found.rank, name=name_of(found.path), pictures=found.pictures)


class Upload(BaseModel):
    term: str = Field(description="Query term for the picture; expires.")
