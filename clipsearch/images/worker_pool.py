"""Decode files in worker processes, see `worker`: a crash or a timeout is a reason to skip a file."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import ImageReadError, TransientReadError
from clipsearch.images import worker
from clipsearch.images.copies.views import PictureView, unpack_view
from clipsearch.images.decode import BYTES_PER_PIXEL, DecodingLimits
from clipsearch.images.file_stamp import FileStamp
from clipsearch.images.preprocess import Preprocess, as_json
from clipsearch.images.reading import OpenPicture, open_picture
from clipsearch.images.thumbnails import Thumbnail
from clipsearch.notices import notify
from clipsearch.processes import start_python
from clipsearch.types import ImageMetadata

# A new worker is started once each of the others has read this many files: a handful of files needs only one.
_FILES_BEFORE_NEXT = 8

# A file is retried in a new process when its decoder crashes: the file before may be to blame.
_ATTEMPTS = 2

# Signals of a faulty process; other signals come from outside.
_CRASHES = frozenset({"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS", "SIGTRAP"})

# Seconds that a worker may take to exit.
_EXIT_S = 10

# Memory of a worker besides the picture: the libraries, and a file of 64 MB.
_BASE_BYTES = 1 << 30


class WorkerPool:
    """Opens files in worker processes, up to one per concurrent thread, each started on demand. Thread-safe."""

    def __init__(self, spec: Preprocess, *, limits: DecodingLimits) -> None:
        """Configure the pool; `spec` is the preprocessing of the model that the pictures are for."""
        self._spec = spec
        self._limits = limits
        self._lock = threading.Condition()
        self._idle: list[_Worker] = []
        self._count = 0
        self._files_read = 0
        self._one_large_picture = threading.Lock()
        self._has_start_failed = False
        self._is_closed = False

    @contextmanager
    def open_path(self, path: str) -> Iterator[OpenPicture]:
        """Open and hash a file, as `reading.OpenPath`; a file that crashes the worker raises OSError."""
        with self._worker() as opened:
            hashed = self._read(opened, path)
            if hashed is None:
                with open_picture(path, spec=self._spec, max_megapixels=self._limits.max_megapixels) as local:
                    yield local
                return
            picture = _RemotePicture(path, opened, spec=self._spec, large=self._one_large_picture, **hashed)
            try:
                yield picture
            finally:
                picture.finish()

    def _read(self, opened: "_Worker", path: str) -> dict[str, Any] | None:
        """Read and hash a file in a worker; None when no worker can be started."""
        for _ in range(_ATTEMPTS):
            if self._has_start_failed and not opened.is_running:
                return None
            try:
                return opened.read(path)
            except _WorkerStartError as error:
                with self._lock:
                    is_first, self._has_start_failed = not self._has_start_failed, True
                if is_first:
                    notify(f"{error}: pictures are decoded in the program itself, without limits of time and memory")
            except _WorkerDiedError as error:
                death = error
        raise OSError(str(death)) from death

    def close(self) -> None:
        """End the workers; a busy one ends after its file."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
            self._count -= len(idle)
        for each in idle:
            each.close()

    @contextmanager
    def _worker(self) -> Iterator["_Worker"]:
        opened = self._take()
        try:
            yield opened
        finally:
            with self._lock:
                self._idle.append(opened)
                self._files_read += 1
                self._lock.notify()
                is_closed = self._is_closed
            if is_closed:  # late callers still get an answer, but leave no process behind
                self.close()

    def _take(self) -> "_Worker":
        with self._lock:
            while not self._idle and self._count > self._files_read // _FILES_BEFORE_NEXT:
                self._lock.wait()
            if self._idle:
                return self._idle.pop()
            self._count += 1
        return _Worker(self._spec, self._limits)


class _WorkerStartError(Exception):
    """A process could not be started; the text says why."""


class _WorkerDiedError(Exception):
    """A worker process ended; the text says how.

    Attributes:
        is_crash: a decoder crashed, on this file or because of the file before.
        limit: as in `ImageReadError`.
        is_transient: a retry may succeed: neither the file nor a limit is to blame.
    """

    def __init__(self, reason: str, *, is_crash: bool = False, limit: tuple[str, float] | None = None) -> None:
        super().__init__(reason)
        self.is_crash = is_crash
        self.limit = limit
        self.is_transient = not is_crash and limit is None


class _Worker:
    """One worker process, started for the first file and again after it died. Not thread-safe."""

    def __init__(self, spec: Preprocess, limits: DecodingLimits) -> None:
        self._limits = limits
        self._options = json.dumps(
            {
                "preprocess": as_json(spec),
                "max_megapixels": limits.max_megapixels,
                "max_seconds": limits.max_seconds,
                "max_wall_seconds": limits.max_wall_seconds,
                "memory_bytes": _BASE_BYTES + int(limits.max_megapixels * 1e6 * BYTES_PER_PIXEL),
            }
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def read(self, path: str) -> dict[str, Any]:
        """Read and hash a file in the process, which then waits for `request` or `skip`.

        Raises:
            OSError: the file can't be read.
            TransientReadError: there is not enough memory.
            _WorkerDiedError: the process has ended.
        """
        self._send(worker.READ, os.fsencode(path))
        described: dict[str, Any] = json.loads(self._unwrap(*self._receive()))
        return {"stamp": FileStamp(*described["stamp"]), "blake3": bytes.fromhex(described["blake3"])}

    def skip(self) -> None:
        with suppress(_WorkerDiedError):
            self._send(worker.SKIP)

    def request(self, kind: int, content: bytes, large: threading.Lock) -> bytes:
        """Have the process decode the file that it has read.

        Raises:
            ImageReadError: it can't be decoded.
            _WorkerDiedError: the process has ended.
        """
        self._send(kind, content)
        kind, content = self._receive()
        if kind == worker.LARGE:
            with large:
                self._send(worker.GO)
                kind, content = self._receive()
        return self._unwrap(kind, content)

    def close(self) -> None:
        process = self._process
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    pipe and pipe.close()
            try:
                process.wait(_EXIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._process = None

    def _unwrap(self, kind: int, content: bytes) -> bytes:
        try:
            return _unwrap(kind, content)
        except TransientReadError:
            # Earlier pictures may still hold some of the memory: a new process has all of it.
            self.close()
            raise

    def _send(self, kind: int, content: bytes = b"") -> None:
        process = self._ensure_started()
        try:
            worker.write_frame(process.stdin, kind, content)  # type: ignore[arg-type]
        except OSError as error:
            raise self._explain_death(process) from error

    def _receive(self) -> tuple[int, bytes]:
        process = self._ensure_started()
        try:
            return worker.read_frame(process.stdout)  # type: ignore[arg-type]
        except (EOFError, OSError) as error:
            raise self._explain_death(process) from error

    def _ensure_started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            try:
                self._process = start_python(
                    ["-m", "clipsearch.images.worker", self._options],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,  # output of decoders
                    is_apart=True,  # a process that is still starting would die of Ctrl-C
                    is_exposed=True,
                    # One thread each: several pictures are decoded in parallel.
                    OPENBLAS_NUM_THREADS="1",
                    OMP_NUM_THREADS="1",
                )
                worker.read_frame(self._process.stdout)  # type: ignore[arg-type]
            except (OSError, EOFError) as error:
                self.close()
                raise _WorkerStartError("no process could be started") from error
            except BaseException:
                self.close()
                raise
        return self._process

    def _explain_death(self, process: "subprocess.Popen[bytes]") -> _WorkerDiedError:
        self.close()
        code = process.returncode
        if code >= 0:
            return _WorkerDiedError(f"its decoder ended with {code}")
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        if name == "SIGPROF":
            seconds = self._limits.max_seconds
            return _WorkerDiedError(f"it took longer than {seconds} s to decode", limit=("seconds", seconds))
        if name == "SIGALRM":
            wall = self._limits.max_wall_seconds
            return _WorkerDiedError(f"it took longer than {wall} s to decode, most of them waiting for its turn")
        if name == "SIGKILL":  # by the system, most likely
            return _WorkerDiedError("not enough memory to decode it")
        if name not in _CRASHES:
            return _WorkerDiedError(f"its decoder was ended from outside ({name})")
        return _WorkerDiedError(f"its decoder crashed ({name})", is_crash=True)


class _RemotePicture:
    """`OpenPicture` read by a worker."""

    def __init__(
        self,
        path: str,
        opened: _Worker,
        *,
        spec: Preprocess,
        large: threading.Lock,
        stamp: FileStamp,
        blake3: bytes,
    ) -> None:
        self.stamp = stamp
        self.blake3 = blake3
        self._path = path
        self._worker = opened
        self._spec = spec
        self._large = large
        self._is_waiting = True  # the worker waits for a request

    def decode(self) -> tuple[NDArray[np.uint8], ImageMetadata]:
        return worker.unpack_decoded(self._request(worker.DECODE), height=self._spec.height, width=self._spec.width)

    def describe(self) -> ImageMetadata:
        return worker.unpack_metadata(self._request(worker.DESCRIBE))

    def shrink(self, side: int) -> Thumbnail:
        return worker.unpack_thumbnail(self._request(worker.SHRINK, worker.SIDE.pack(side)))

    def view(self, side: int) -> PictureView:
        return unpack_view(self._request(worker.VIEW, worker.SIDE.pack(side)))

    def _request(self, kind: int, content: bytes = b"") -> bytes:
        for attempt in range(_ATTEMPTS):
            if attempt:
                try:
                    reread = self._worker.read(self._path)
                except (OSError, _WorkerDiedError, _WorkerStartError) as error:
                    raise TransientReadError(str(error)) from error
                if reread["blake3"] != self.blake3:
                    self._worker.skip()
                    raise TransientReadError("changed while it was read")
            self._is_waiting = False
            try:
                return self._worker.request(kind, content, self._large)
            except _WorkerDiedError as error:
                if error.is_crash and attempt + 1 < _ATTEMPTS:
                    continue
                if error.is_transient:
                    raise TransientReadError(str(error)) from error
                raise ImageReadError(str(error), limit=error.limit) from error
        raise AssertionError

    def finish(self) -> None:
        if self._is_waiting:
            self._worker.skip()


def _unwrap(kind: int, content: bytes) -> bytes:
    """Return the content of a worker's answer.

    Raises:
        OSError, ImageReadError: the worker reported a failure.
    """
    if kind != worker.FAILED:
        return content
    described = json.loads(content)
    reason: str = described["reason"]
    if described["is_system"]:
        code = described["errno"]
        raise OSError(reason) if code is None else OSError(code, reason)
    limit = described["limit"]
    failure = TransientReadError if described["is_transient"] else ImageReadError
    raise failure(reason, limit=None if limit is None else tuple(limit))
