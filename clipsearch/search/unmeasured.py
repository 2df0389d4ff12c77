"""Say how many pictures a filter can't judge, as an earlier version has not measured or read them."""

from collections.abc import Sequence

from clipsearch.notices import notify
from clipsearch.quantities import count
from clipsearch.query.filters import Filter
from clipsearch.session.session import Session

_MEASURED_KEYS = ("sharp", "bright")
_READ_KEYS = ("tag", "person", "label", "title", "creator", "rating")
_READ_CHOICES = ("tags", "people", "label", "title", "caption", "creator", "rating")


def count_unmeasured(filters: Sequence[Filter], session: Session) -> int:
    """Count the pictures of which what a filter asks for is unknown: sharpness, brightness, what is written in them."""
    is_measure = any(each.key in _MEASURED_KEYS for each in filters)
    is_written = any(
        each.key in _READ_KEYS or (each.key == "has" and str(each.value) in _READ_CHOICES) for each in filters
    )
    if not (is_measure or is_written):
        return 0
    return session.columns.ask(
        lambda columns: max(
            columns.count_unmeasured() if is_measure else 0, columns.count_unread() if is_written else 0
        )
    )


def describe_unmeasured(number: int) -> str:
    """Say that pictures are not read, and what reads them."""
    were, them = ("was", "it") if number == 1 else ("were", "them")
    pictures = count(number, "picture")
    return f"{pictures} {were} not read for this filter by an earlier version: 'clipsearch index --again' reads {them}"


def notify_unmeasured(filters: Sequence[Filter], session: Session) -> None:
    """Give a notice of pictures that the filters know nothing of, once in a session."""
    if not session.has_told_unmeasured and (number := count_unmeasured(filters, session)):
        session.has_told_unmeasured = True
        notify(describe_unmeasured(number))
