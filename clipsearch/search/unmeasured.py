"""Say how many pictures a filter can't judge, as an earlier version has not measured them."""

from collections.abc import Sequence

from clipsearch.notices import notify
from clipsearch.quantities import count
from clipsearch.query.filters import Filter
from clipsearch.session.session import Session

_MEASURED_KEYS = ("sharp", "bright")


def count_unmeasured(filters: Sequence[Filter], session: Session) -> int:
    """Count the pictures whose sharpness and brightness are unknown, when a filter asks for these; else return 0."""
    if not any(each.key in _MEASURED_KEYS for each in filters):
        return 0
    return session.columns.ask(lambda columns: columns.count_unmeasured())


def describe_unmeasured(number: int) -> str:
    """Say that pictures are not measured, and what measures them."""
    verb, them = ("has", "it") if number == 1 else ("have", "them")
    pictures = count(number, "picture")
    return f"{pictures} {verb} no sharpness and brightness yet: 'clipsearch index --again' measures {them}"


def notify_unmeasured(filters: Sequence[Filter], session: Session) -> None:
    """Give a notice of pictures that the filters know nothing of, once in a session."""
    if not session.has_told_unmeasured and (number := count_unmeasured(filters, session)):
        session.has_told_unmeasured = True
        notify(describe_unmeasured(number))
