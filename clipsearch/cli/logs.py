"""Set up what a command prints on stderr and writes to a log file: --quiet, --verbose, --log-file."""

import logging
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from clipsearch.cli.render import note, printable, set_quiet
from clipsearch.errors import InputError
from clipsearch.notices import LOGGER
from clipsearch.paths import expand_user


class NoticePrinter(logging.Handler):
    """Logging handler that prints each notice as a line on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        note(f"clipsearch: {record.getMessage()}", is_error=record.levelno >= logging.ERROR)


class LogFile(logging.StreamHandler[Any]):
    """Logging handler that appends lines with a time to a file, which only its owner can read."""

    def __init__(self, name: str) -> None:
        """Open the file.

        Raises:
            InputError: it can't be written, or is no regular file.
        """
        path = expand_user(name)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o600)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"can't write the log file {path}: {reason}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise InputError(f"can't write the log file {path}: not a regular file")
        super().__init__(os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace"))
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (of the base class)
        """Say once that the file can't be written, as on a full disk, and go on without it."""
        LOGGER.removeHandler(self)
        note(f"clipsearch: the log file can't be written: {sys.exc_info()[1]}", is_error=True)

    def close(self) -> None:
        with suppress(OSError):  # a full disk, of which a line was printed
            self.stream.close()
        super().close()


def report_error(text: str) -> None:
    """Print an error as a line on stderr, and write it to the log file."""
    note(f"clipsearch: {text}", is_error=True)
    for handler in list(LOGGER.handlers):
        if isinstance(handler, LogFile):
            handler.handle(LOGGER.makeRecord(LOGGER.name, logging.ERROR, "", 0, text, (), None))


def set_up(*, is_quiet: bool, is_verbose: bool, log_file: str | None) -> None:
    """Set what is printed and logged, until the end of `restored`.

    Raises:
        InputError: the options exclude each other, or the file can't be written.
    """
    if is_quiet and is_verbose:
        raise InputError("choose --quiet or --verbose")
    level = logging.ERROR if is_quiet else logging.INFO if is_verbose else logging.WARNING
    for handler in LOGGER.handlers:
        handler.setLevel(level)
    set_quiet(is_quiet)
    if log_file is not None:
        LOGGER.addHandler(LogFile(log_file))
    if log_file is not None or is_verbose:
        LOGGER.setLevel(logging.INFO)


@contextmanager
def restored() -> Iterator[None]:
    """Restore the logger after a command: tests run several in one process."""
    level, handlers = LOGGER.level, [(handler, handler.level) for handler in LOGGER.handlers]
    try:
        yield
    finally:
        LOGGER.setLevel(level)
        for handler in set(LOGGER.handlers) - {each for each, _ in handlers}:
            LOGGER.removeHandler(handler)
            handler.close()
        for handler, before in handlers:
            handler.setLevel(before)
        set_quiet(False)
