"""A line for every index run, written when it begins and brought up to date while it goes on."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select, update

from clipsearch.store import tables
from clipsearch.store.backends.database import Database
from clipsearch.store.records import utc_now
from clipsearch.types import CurrentRun, IndexReport, LastRun

# A run that goes on says so every second while files are read, and less often while it embeds captions. One that has
# not for so long was killed, whoever holds the writers' lock now.
_SILENT_AFTER = timedelta(minutes=10)


class RunStore:
    """`to_do` of a line is NULL once its run has ended; of a killed one it stays."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, *, model_id: int, started_at: datetime) -> int:
        """The new run's number. Others that seem to go on have ended, if they are silent or nobody else may write."""
        runs = tables.runs
        counts = dict.fromkeys(("found", "embedded", "reused", "unchanged", "removed", "skipped", "to_do"), 0)
        with self._database.write() as connection:
            others = update(runs).where(runs.c.to_do.is_not(None)).values(to_do=None)
            if self._database.is_server:
                others = others.where(runs.c.updated_at < utc_now() - _SILENT_AFTER)
            connection.execute(others)
            row = {"model_id": model_id, "started_at": started_at, "seconds": 0.0, "finished": False, **counts}
            run_id: int = connection.execute(
                insert(runs).values(row | {"updated_at": utc_now()}).returning(runs.c.run_id)
            ).scalar_one()
        return run_id

    def note(self, run_id: int, **values: float) -> None:
        """How far a run has come: any of the counts, `seconds`, and `to_do`, number of files that are left."""
        self._set(run_id, **values)

    def end(self, run_id: int, report: IndexReport) -> None:
        self._set(
            run_id,
            seconds=report.seconds,
            found=report.found,
            embedded=report.embedded,
            reused=report.reused,
            unchanged=report.unchanged,
            removed=report.removed,
            skipped=len(report.skipped),
            finished=not report.interrupted,
            to_do=None,
        )

    def find_last(self, *, is_writing: bool = False) -> LastRun | None:
        """The last run that has ended.

        Args:
            is_writing: some process holds the writers' lock; without that every run has ended.
        """
        runs, newest = tables.runs, select(tables.runs).order_by(tables.runs.c.run_id.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(newest).first()
            if row is not None and is_writing and _goes_on(row):
                row = connection.execute(newest.where(runs.c.to_do.is_(None))).first()
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

    def find_current(self, *, is_writing: bool) -> CurrentRun | None:
        """The run that goes on, the newest of several; arguments as in `find_last`."""
        runs = tables.runs
        with self._database.read() as connection:
            row = connection.execute(
                select(runs).where(runs.c.to_do.is_not(None)).order_by(runs.c.run_id.desc()).limit(1)
            ).first()
        if row is None or not is_writing or not _goes_on(row):
            return None
        return CurrentRun(
            started_at=row.started_at,
            updated_at=row.updated_at,
            done=row.embedded + row.reused + row.skipped,
            to_do=row.to_do,
        )

    def has_open(self) -> bool:
        """Whether there is a line whose run has not said that it ended."""
        with self._database.read() as connection:
            question = select(tables.runs.c.run_id).where(tables.runs.c.to_do.is_not(None)).limit(1)
            return connection.execute(question).first() is not None

    def _set(self, run_id: int, **values: object) -> None:
        with self._database.write() as connection:
            connection.execute(
                update(tables.runs).where(tables.runs.c.run_id == run_id).values(**values, updated_at=utc_now())
            )


def _goes_on(row: Row[Any]) -> bool:
    return row.to_do is not None and row.updated_at is not None and utc_now() - row.updated_at < _SILENT_AFTER
