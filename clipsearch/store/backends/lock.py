"""Lock a catalog for one writing process; any number read it meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clipsearch.errors import CatalogBusyError, StoreError
from clipsearch.files import is_link
from clipsearch.notices import notify

# The file is never deleted by a writer: the lock is the system's, on the open file, and ends with the process however
# that ends.
LOCK_NAME = "writer.lock"


_PROBE_TIMEOUT_S = 0.2


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


@contextmanager
def writer_lock(directory: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the writer lock, for long operations: index runs, switching the model, garbage collection, repair, restore.

    SQLite serialises single transactions by itself; without this lock, two runs would do the same work twice.

    Args:
        wait: wait for another process, after a notice.

    Raises:
        CatalogBusyError: another process holds it and `wait` is false.
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
            lock.acquire()
    except OSError as error:
        raise StoreError(f"the catalog {directory} can't be changed: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()
