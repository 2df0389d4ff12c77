"""Give notices to the user through the logger "clipsearch".

A notice is information that does not stop an operation. The module `warnings` is not used: its filters are one list for
the whole process and not thread-safe, so that an overlapping `warnings.catch_warnings` in any library can lose notices.
"""

import contextlib
import logging
import time
import warnings
from collections.abc import Iterator
from contextvars import ContextVar

from clipsearch.errors import CatalogBusyError, CatalogNotFoundError, ClipSearchNotice, public_text

LOGGER = logging.getLogger("clipsearch")
"""Without a handler on it or on the root logger, Python prints its lines on stderr."""

if LOGGER.level == logging.NOTSET:
    # Else the root logger's level would apply, which other libraries change: OpenVINO's converter does when it fails.
    LOGGER.setLevel(logging.WARNING)

_is_muted: ContextVar[bool] = ContextVar("clipsearch_notices_are_muted", default=False)


def notify(text: str) -> None:
    """Log a notice, one line of text; repeated notices are not deduplicated."""
    if not _is_muted.get():
        LOGGER.warning("%s", text)


def inform(text: str) -> None:
    """Log what is done, one line of text, for users who set the logger's level to INFO, as `clipsearch -v` does."""
    LOGGER.info("%s", text)


@contextlib.contextmanager
def timed(step: str) -> Iterator[None]:
    """Log a step that has succeeded with its seconds, as in `inform`."""
    start = time.perf_counter()
    yield
    LOGGER.info("%s: %.3f s", step, time.perf_counter() - start)


def are_muted() -> bool:
    """Return whether notices are muted in this thread."""
    return _is_muted.get()


@contextlib.contextmanager
def muted(is_muted: bool = True) -> Iterator[None]:
    """Mute notices of this thread within the context; threads started in it are not muted."""
    before = _is_muted.set(is_muted)
    try:
        yield
    finally:
        _is_muted.reset(before)


def message_for_others(error: Exception, log: logging.Logger) -> str:
    """Return the message of an error for a remote client, and log the details that it leaves out.

    See `errors.public_text`; paths of the server go to `log` only.
    """
    text = public_text(error)
    if text != str(error) and not isinstance(error, CatalogNotFoundError | CatalogBusyError):
        log.error("%s: %s", type(error).__name__, error)
    return text


class WarningsHandler(logging.Handler):
    """Logging handler that re-issues each notice as a `ClipSearchNotice` through `warnings`."""

    def emit(self, record: logging.LogRecord) -> None:
        if (
            record.name != LOGGER.name or record.levelno < logging.WARNING
        ):  # child loggers, such as the web server's, log errors rather than notices
            return
        warnings.warn(record.getMessage(), ClipSearchNotice, stacklevel=2)
