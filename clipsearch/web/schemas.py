"""Define the response models of the HTTP API; fields are documented in /openapi.json."""

from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from clipsearch import types
from clipsearch.description import Description
from clipsearch.gallery import curation, details
from clipsearch.gallery.details import CatalogFacets
from clipsearch.search import narrowing
from clipsearch.types import CaptionHit, LabelHit
from clipsearch.web.errors import MEDIA_TYPE

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
    albums: dict[str, int] = Field(description="Of each album; the favourites are `favourites`.")

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
            albums=found.albums,
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
    next: str | None = Field(default=None, description="Cursor for `after`; null on the last page.")


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
    next: str | None = Field(default=None, description="Cursor for `after`; null on the last page.")


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
