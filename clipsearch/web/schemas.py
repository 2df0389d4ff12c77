"""What the HTTP API answers. Field for field documented in /openapi.json."""

import math
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from clipsearch import types
from clipsearch.gallery import duplicates
from clipsearch.gallery.details import PictureDetails
from clipsearch.search.hits import SearchHit
from clipsearch.types import CaptionHit, LabelHit
from clipsearch.web.index_job import JobState, JobStatus

Relevance = Annotated[float, Field(ge=0, le=1, description="How surely it is what was looked for, or fits.")]
Score = Annotated[
    float | None,
    Field(description="Cosine, -1 to 1, higher is better; null where nothing was compared.", ge=-1.01, le=1.01),
]


def name_of(path: str) -> str:
    """A file's name for people: bytes that are no UTF-8 come out as "?"."""
    return PurePath(path).name.encode("utf-8", "replace").decode()


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    position: int | None = Field(
        default=None, description="Of the character in the query, from 0, that the error is about."
    )


class Hit(BaseModel):
    id: int = Field(description="The catalog's number of the picture.")
    rank: int = Field(ge=1)
    score: Score
    relevance: Relevance
    name: str = Field(description="Name of its file, without the folder.")

    @classmethod
    def of(cls, hit: SearchHit) -> "Hit":
        score = None if math.isnan(hit.score) else hit.score
        return cls(id=hit.content_id, rank=hit.rank, score=score, relevance=hit.relevance, name=name_of(hit.path))


class NearDuplicate(Hit):
    kind: Literal["exact", "copy", "similar"] = Field(
        description="copy: the better of the two shows all that the other does; similar: another frame of a burst, or "
        "another version."
    )

    @classmethod
    def of_duplicate(cls, hit: duplicates.NearDuplicate) -> "NearDuplicate":
        return cls(**Hit.of(hit).model_dump(), kind=hit.kind)


class SearchResult(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "query": "a glazed donut",
                "model": "starter",
                "suggestion": None,
                "hits": [{"id": 23, "rank": 1, "score": 0.397, "relevance": 0.965, "name": "donut.png"}],
                "next": "WzEsMjMsNDAsIjZmMGE0ZTgxYjYyYzdkMTAiXQ",
            }
        }
    )

    query: str
    model: str = Field(description="Name of the model that the pictures were compared with.")
    suggestion: str | None = Field(
        default=None, description="The query with its typing errors corrected; null where it seems to have none."
    )
    hits: list[Hit]
    next: str | None = Field(description="Pass it as `after` for the next page; null when this is the last.")


class Caption(BaseModel):
    rank: int = Field(ge=1)
    text: str
    score: Score
    probability: float = Field(ge=0, le=1, description="Over all captions of the catalog, or all candidates.")
    relevance: Relevance | None = Field(description="How surely a stored caption fits; null for candidates.")

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


class Item(BaseModel):
    id: int
    name: str
    paths: list[str] = Field(description="Of all files with this content; those that are there first.")
    blake3: str = Field(description="Of the whole file, in hex.")
    size_bytes: int
    width: int = Field(description="In pixels, of the upright picture.")
    height: int
    format: str
    taken_at: datetime | None = Field(description="The camera's local time.")
    camera: str | None
    latitude: float | None
    longitude: float | None
    added_at: datetime = Field(description="When it was indexed first, UTC.")
    is_date_doubtful: bool = Field(description="The date is what a clock shows that was never set, or in the future.")

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
            added_at=details.added_at,
            is_date_doubtful=metadata.is_date_doubtful,
        )


class Upload(BaseModel):
    term: str = Field(description="What stands for the picture in queries, for some time.")


class IndexRequest(BaseModel):
    folder: str = Field(
        default="", max_length=4096, description="Its whole path; empty: the folders that were indexed before."
    )


class IndexStatus(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "state": "running",
                "folder": "/home/ada/photos",
                "done": 512,
                "to_do": 20310,
                "message": "",
                "skipped": [],
            }
        }
    )

    state: JobState
    folder: str
    done: int = Field(description="Pictures that are new or changed and were dealt with.")
    to_do: int = Field(description="Of those, as many as are known so far.")
    message: str = Field(description="What came of it, or why it failed.")
    skipped: list[str] = Field(description="Files that could not be read, with the reason; the first 20.")

    @classmethod
    def of(cls, status: JobStatus) -> "IndexStatus":
        report = status.report
        message, skipped = status.error, list[str]()
        if report is not None:
            parts = [
                f"{report.embedded:,} indexed",
                f"{report.moved:,} moved" if report.moved else "",
                f"{report.reused - report.moved:,} known already" if report.reused > report.moved else "",
                f"{report.unchanged:,} unchanged" if report.unchanged else "",
                f"{report.removed:,} gone" if report.removed else "",
                f"{len(report.skipped):,} skipped" if report.skipped else "",
                f"{len(report.partial):,} without their end" if report.partial else "",
            ]
            message = f"{', '.join(filter(None, parts))} in {report.seconds:.1f} s"
            skipped = [
                f"{each.path}: {each.reason}".encode("utf-8", "replace").decode() for each in report.skipped[:20]
            ]
        return cls(
            state=status.state,
            folder=status.folder,
            done=status.done,
            to_do=status.to_do,
            message=message,
            skipped=skipped,
        )


class CurrentRun(BaseModel):
    started_at: datetime = Field(description="In UTC.")
    updated_at: datetime = Field(description="When it last said how far it has come; in UTC.")
    done: int = Field(description="Files that are new or have changed and were dealt with.")
    to_do: int = Field(description="Those that are left, as far as is known.")

    @classmethod
    def of(cls, run: types.CurrentRun | None) -> "CurrentRun | None":
        if run is None:
            return None
        started_at, updated_at = (moment.replace(tzinfo=UTC) for moment in (run.started_at, run.updated_at))
        return cls(started_at=started_at, updated_at=updated_at, done=run.done, to_do=run.to_do)


class Status(BaseModel):
    version: str
    model: str | None = Field(description="null before anything was indexed.")
    pictures: int = Field(description="Different ones.")
    files: int
    captions: int
    skipped: int
    folders: list[str]
    indexing: JobState = Field(description="What this server indexes by itself.")
    current_run: CurrentRun | None = Field(description="The index run that goes on, here or in another process.")
