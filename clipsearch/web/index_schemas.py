"""Define the response models of the HTTP API about index runs and the catalog's status."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from clipsearch import types
from clipsearch.web.index_job import JobState, JobStatus


class IndexRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    folder: str = Field(default="", max_length=4096, description="Absolute path; empty: the folders indexed before.")


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
                "may_stop": True,
            }
        }
    )

    state: JobState
    folder: str
    done: int = Field(description="New or changed pictures that were processed.")
    to_do: int = Field(description="New or changed pictures found so far.")
    message: str = Field(description="Summary of the run, or the error.")
    skipped: list[str] = Field(description="Files that could not be read, with the reason; the first 20.")
    may_stop: bool = Field(description="Clients may stop it: it was started by one, not by watching or elsewhere.")

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
                f"{report.removed:,} removed" if report.removed else "",
                f"{len(report.skipped):,} skipped" if report.skipped else "",
                f"{len(report.partial):,} truncated" if report.partial else "",
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
            may_stop=status.is_job and status.state == "running",
        )


class CurrentRun(BaseModel):
    started_at: datetime = Field(description="In UTC.")
    updated_at: datetime = Field(description="Last progress update; in UTC.")
    done: int = Field(description="New or changed files that were processed.")
    to_do: int = Field(description="Remaining files found so far.")

    @classmethod
    def of(cls, run: types.CurrentRun | None) -> "CurrentRun | None":
        if run is None:
            return None
        started_at, updated_at = (moment.replace(tzinfo=UTC) for moment in (run.started_at, run.updated_at))
        return cls(started_at=started_at, updated_at=updated_at, done=run.done, to_do=run.to_do)


class Status(BaseModel):
    version: str
    model: str | None = Field(description="null for an empty catalog.")
    pictures: int = Field(description="Distinct contents.")
    files: int
    captions: int
    skipped: int
    folders: list[str]
    indexing: JobState = Field(description="State of this server's last index run.")
    current_run: CurrentRun | None = Field(description="The current index run, of this or another process.")
