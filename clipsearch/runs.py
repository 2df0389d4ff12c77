"""What is told of index runs."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last `index` run that has ended, times in UTC."""

    started_at: datetime
    seconds: float
    found: int
    embedded: int
    reused: int
    unchanged: int
    removed: int
    skipped: int
    finished: bool


@dataclass(frozen=True, slots=True)
class CurrentRun:
    """An `index` run that goes on, in this process or another.

    Attributes:
        started_at: in UTC, as is `updated_at`, when it last said how far it has come.
        done: files that are new or have changed and were dealt with.
        to_do: those that are left, as far as is known.
    """

    started_at: datetime
    updated_at: datetime
    done: int
    to_do: int

    @property
    def seconds(self) -> float:
        """How long it has been going on, to `updated_at`."""
        return max(0.0, (self.updated_at - self.started_at).total_seconds())

    def __str__(self) -> str:
        minutes = int(self.seconds / 60)
        hours = f"{minutes // 60} h " if minutes >= 60 else ""
        duration = f"{hours}{minutes % 60} min" if minutes else f"{self.seconds:.0f} s"
        return f"an index run has been going on for {duration}: {self.done:,} done, {self.to_do:,} to do"
