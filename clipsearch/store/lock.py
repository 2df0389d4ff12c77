"""One process at a time changes a catalog; any number read it meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clipsearch.errors import CatalogBusyError, StoreError
from clipsearch.notices import notify

# Stays where it is: the lock is the system's, on the open file, and ends with the process however that ends.
LOCK_NAME = "writer.lock"


@contextmanager
def writer_lock(directory: Path, *, wait: bool = False) -> Iterator[None]:
    """Held by what takes long: index runs, a change of the model, garbage collection, repair, restoring.

    SQLite keeps single transactions apart by itself; without this, two runs would do the same work twice.

    Args:
        wait: until another process is done, after a notice.

    Raises:
        CatalogBusyError: another process holds it and `wait` is false.
        StoreError: the file can't be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(directory / LOCK_NAME, mode=0o600, thread_local=False)
    try:
        try:
            lock.acquire(timeout=0)
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
