"""Make the map of meaning in a background thread, one at a time, and tell how far it is."""

import threading

from clipsearch.catalog import Catalog
from clipsearch.errors import ClipSearchError


class _Stopped(Exception):
    """The server ends while a map is being made."""


class MapJob:
    """Map job of a server; thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_stopped = False
        self.progress = 0.0
        """Share of the work that is done, 0 to 1."""
        self.error: ClipSearchError | None = None
        """Why the last job failed."""

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start to make the map, unless it is being made already."""
        with self._lock:
            if not self.is_running and not self._is_stopped:
                self.progress, self.error = 0.0, None
                self._thread = threading.Thread(target=self._run, name="map")
                self._thread.start()

    def stop(self) -> None:
        """Cancel the job: it ends within some seconds."""
        self._is_stopped = True

    def join(self) -> None:
        thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        try:
            self._catalog.pictures.map(on_progress=self._note)
        except ClipSearchError as error:
            self.error = error
        except _Stopped:
            pass
        except BaseException as error:
            self.error = ClipSearchError(f"unexpected error: {type(error).__name__}")
            raise

    def _note(self, done: int, steps: int) -> None:
        if self._is_stopped:
            raise _Stopped
        self.progress = done / steps
