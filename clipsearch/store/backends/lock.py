"""Lock a catalog for one writing process; any number read it meanwhile."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.errors import CatalogBusyError, StoreError
from clipsearch.files import is_link
from clipsearch.notices import notify

if TYPE_CHECKING:
    from filelock import FileLock

# The file is never deleted by a writer: the lock is the system's, on the open file, and ends with the process however
# that ends.
LOCK_NAME = "writer.lock"


_PROBE_TIMEOUT_S = 0.2

# How often a token is looked at while waiting.
_POLL_S = 0.5


def is_locked(directory: Path) -> bool:
    """Return whether a process holds the lock, by trying to take it for a moment."""
    from filelock import FileLock, Timeout

    if not (directory / LOCK_NAME).exists():
        return False
    try:
        with FileLock(directory / LOCK_NAME, mode=0o600, thread_local=False).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def wait_for_lock(acquire: Callable[[float], bool], cancel: threading.Event | None) -> None:
    """Wait for a lock.

    Args:
        acquire: tries to take it for that many seconds, and returns whether it has.
        cancel: cancellation token.

    Raises:
        CatalogBusyError: the token is set.
    """
    while not acquire(_POLL_S):
        if cancel is not None and cancel.is_set():
            raise CatalogBusyError("stopped while another clipsearch was changing the catalog")


@contextmanager
def run_lock(lock: threading.Lock, *, wait: bool = False, cancel: threading.Event | None = None) -> Iterator[None]:
    """Hold the lock of the thread that indexes; others of this process wait for it without a notice.

    Raises:
        CatalogBusyError: another thread holds it, and `wait` is false or `cancel` is set.
    """
    if not lock.acquire(blocking=False):
        if not wait:
            raise CatalogBusyError("a folder is being indexed already")
        wait_for_lock(lambda seconds: lock.acquire(timeout=seconds), cancel)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writer_lock(directory: Path, *, wait: bool = False, cancel: threading.Event | None = None) -> Iterator[None]:
    """Hold the writer lock, for long operations: index runs, switching the model, garbage collection, repair, restore.

    SQLite serialises single transactions by itself; without this lock, two runs would do the same work twice.

    Args:
        wait: wait for another process, after a notice.
        cancel: cancellation token: ends the waiting.

    Raises:
        CatalogBusyError: another process holds it, and `wait` is false or `cancel` is set.
        StoreError: the file can't be created.
    """
    from filelock import FileLock, Timeout

    if is_link(directory / LOCK_NAME):  # locking would truncate its target
        raise StoreError(f"{directory / LOCK_NAME} is a link, not the lock file of this catalog: remove it")
    lock = FileLock(directory / LOCK_NAME, mode=0o600, thread_local=False)
    try:
        try:
            # Not without a timeout: `is_locked` may hold it for a moment.
            lock.acquire(timeout=_PROBE_TIMEOUT_S, poll_interval=_PROBE_TIMEOUT_S / 10)
        except Timeout:
            if not wait:
                raise CatalogBusyError(
                    f"another clipsearch is changing the catalog {directory}: try again when it is done, or wait for "
                    "it with --wait"
                ) from None
            notify(f"another clipsearch is changing the catalog {directory}: waiting for it")
            wait_for_lock(lambda seconds: _acquire(lock, seconds), cancel)
    except OSError as error:
        raise StoreError(f"the catalog {directory} can't be changed: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: "FileLock", seconds: float) -> bool:
    from filelock import Timeout

    try:
        lock.acquire(timeout=seconds, poll_interval=seconds / 10)
    except Timeout:
        return False
    return True
