"""A date in the words of a query."""

from dataclasses import dataclass
from datetime import date, timedelta

from clipsearch.query.phrases.calendar_words import add_months


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date in words.

    Attributes:
        count: words that it takes.
        start: first day; None: open.
        end: the day after the last one; None: open.
        is_sure: False: it may be part of the picture.
        may_go_on: a noun after it would make something else of it, as of "this winter" or "in 2000".
    """

    count: int
    start: date | None
    end: date | None
    is_sure: bool = True
    may_go_on: bool = False

    def __str__(self) -> str:
        """Format it as the value of a `taken:` filter, as short as it can be."""
        if self.start is None or self.end is None:
            first = "" if self.start is None else self.start.isoformat()
            return f"{first}..{'' if self.end is None else (self.end - timedelta(days=1)).isoformat()}"
        years, months = self.start.replace(month=1, day=1) == self.start, self.start.day == 1
        if years and self.end == date(self.start.year + 1, 1, 1):
            return f"{self.start.year:04}"
        if years and self.end.replace(month=1, day=1) == self.end:
            return f"{self.start.year:04}..{self.end.year - 1:04}"
        if months and self.end == add_months(self.start, 1):
            return f"{self.start:%Y-%m}"
        last = self.end - timedelta(days=1)
        if months and self.end.day == 1:
            return f"{self.start:%Y-%m}..{last:%Y-%m}"
        return self.start.isoformat() if last == self.start else f"{self.start.isoformat()}..{last.isoformat()}"
