"""A line for every index run."""

from datetime import datetime

from sqlalchemy import insert, select

from clipsearch.store import tables
from clipsearch.store.database import Database
from clipsearch.types import IndexReport, LastRun


class RunStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, report: IndexReport, *, model_id: int, started_at: datetime) -> None:
        with self._database.write() as connection:
            connection.execute(
                insert(tables.runs).values(
                    model_id=model_id,
                    started_at=started_at,
                    seconds=report.seconds,
                    found=report.found,
                    embedded=report.embedded,
                    reused=report.reused,
                    unchanged=report.unchanged,
                    removed=report.removed,
                    skipped=len(report.skipped),
                    finished=not report.interrupted,
                )
            )

    def find_last(self) -> LastRun | None:
        with self._database.read() as connection:
            row = connection.execute(select(tables.runs).order_by(tables.runs.c.run_id.desc()).limit(1)).first()
            if row is not None and any(isinstance(value, str | bytes) for value in row):
                raise TypeError("no number")  # nothing in it is a text
        if row is None:
            return None
        return LastRun(
            started_at=row.started_at,
            seconds=row.seconds,
            found=row.found,
            embedded=row.embedded,
            reused=row.reused,
            unchanged=row.unchanged,
            removed=row.removed,
            skipped=row.skipped,
            finished=row.finished,
        )
