"""What the user should know and that stops nothing: lines of the logger "clipsearch".

Not through `warnings`: their filters are one list for the whole process, which `warnings.catch_warnings`, in whichever
library a thread uses it, can leave as another thread has set it.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from contextvars import ContextVar

from clipsearch.errors import CatalogBusyError, CatalogNotFoundError, ClipSearchNotice, public_text

LOGGER = logging.getLogger("clipsearch")
"""Python shows its lines on stderr unless it, or the root logger, has a handler."""

if LOGGER.level == logging.NOTSET:
    # Else the root logger's would count, which other libraries set, as OpenVINO's converter leaves it when it fails.
    LOGGER.setLevel(logging.WARNING)

_is_muted: ContextVar[bool] = ContextVar("clipsearch_notices_are_muted", default=False)


def notify(text: str) -> None:
    """Gives a notice, one line of text; every one is told, also where another said the same."""
    if not _is_muted.get():
        LOGGER.warning("%s", text)


def are_muted() -> bool:
    """In this thread."""
    return _is_muted.get()


@contextlib.contextmanager
def muted(is_muted: bool = True) -> Iterator[None]:
    """Within it `notify` says nothing in this thread; in threads that it starts it does."""
    before = _is_muted.set(is_muted)
    try:
        yield
    finally:
        _is_muted.reset(before)


def message_for_others(error: Exception, log: logging.Logger) -> str:
    """What may be told of an error to somebody who asks over the network or through an assistant, as `public_text`
    says; what it leaves out goes to a log."""
    text = public_text(error)
    if text != str(error) and not isinstance(error, CatalogNotFoundError | CatalogBusyError):
        log.error("%s: %s", type(error).__name__, error)
    return text


class WarningsHandler(logging.Handler):
    """Gives each notice as a `ClipSearchNotice` through `warnings`, for programs that take those."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != LOGGER.name:  # what a server logs of its own is no notice
            return
        warnings.warn(record.getMessage(), ClipSearchNotice, stacklevel=2)
