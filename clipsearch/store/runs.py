"""Store a row for every index run, written when it begins and updated while it continues."""

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from clipsearch.store import tables
from clipsearch.store.backends.database import Database
from clipsearch.store.records import utc_now
from clipsearch.types import CurrentRun, IndexReport, LastRun

# A running run updates its row every second while it reads files, less often while it embeds captions. One that has
# been silent this long was killed, no matter who holds the writer lock now.
_SILENT_AFTER = timedelta(minutes=10)

# Rows: a watcher adds thousands a day, and the last ones are looked for at each status.
_KEPT_RUNS = 1_000

# Characters: there are about a hundred suffixes.
_MAX_COUNTS = 10_000


class RunStore:
    """Index runs; `to_do` of a row is NULL once its run has ended, and stays for a killed one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, *, model_id: int, started_at: datetime) -> int:
        """Register a new run; return its id.

        Others that seem to be running are marked as ended when they are silent, or when nobody else may write.
        """
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
            connection.execute(delete(runs).where(runs.c.run_id <= run_id - _KEPT_RUNS))
        return run_id

    def note(self, run_id: int, **values: float) -> None:
        """Store a run's progress: any of the counts, `seconds`, and `to_do`, the number of files left."""
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
            unsupported=json.dumps(report.unsupported),
        )

    def find_last(self, *, is_writing: bool = False) -> LastRun | None:
        """Return the last run that has ended.

        Args:
            is_writing: some process holds the writer lock; without that every run has ended.
        """
        runs, newest = tables.runs, select(tables.runs).order_by(tables.runs.c.run_id.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(newest).first()
            if row is not None and is_writing and _is_running(row):
                row = connection.execute(newest.where(runs.c.to_do.is_(None))).first()
            if row is not None and any(isinstance(value, str | bytes) for value in row[:-1]):
                raise TypeError("not a number")  # only the last column holds text
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
            unsupported=_parse_counts(row.unsupported),
        )

    def find_current(self, *, is_writing: bool) -> CurrentRun | None:
        """Return the run that is going on, the newest of several; arguments as in `find_last`."""
        runs = tables.runs
        with self._database.read() as connection:
            row = connection.execute(
                select(runs).where(runs.c.to_do.is_not(None)).order_by(runs.c.run_id.desc()).limit(1)
            ).first()
        if row is None or not is_writing or not _is_running(row):
            return None
        return CurrentRun(
            started_at=row.started_at,
            updated_at=row.updated_at,
            done=row.embedded + row.reused + row.skipped,
            to_do=row.to_do,
        )

    def has_open(self) -> bool:
        """Return whether a run has not been marked as ended."""
        with self._database.read() as connection:
            statement = select(tables.runs.c.run_id).where(tables.runs.c.to_do.is_not(None)).limit(1)
            return connection.execute(statement).first() is not None

    def _set(self, run_id: int, **values: object) -> None:
        with self._database.write() as connection:
            connection.execute(
                update(tables.runs).where(tables.runs.c.run_id == run_id).values(**values, updated_at=utc_now())
            )


def _parse_counts(text: object) -> dict[str, int]:
    """Read numbers of files by suffix; what is not of that form is left out."""
    if not isinstance(text, str) or len(text) > _MAX_COUNTS:
        return {}
    try:
        counts = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(counts, dict):
        return {}
    return {suffix: number for suffix, number in counts.items() if type(number) is int and number > 0}


def _is_running(row: Row[Any]) -> bool:
    return row.to_do is not None and row.updated_at is not None and utc_now() - row.updated_at < _SILENT_AFTER
