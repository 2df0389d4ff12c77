"""Start one worker process, see `worker`, exchange frames with it, and explain how it ended."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress

from clipsearch.images import worker_frames as frames
from clipsearch.images.decode import BYTES_PER_PIXEL, DecodingLimits
from clipsearch.images.preprocess import Preprocess, as_json
from clipsearch.images.reading import Decoded
from clipsearch.images.shared_crops import SLOTS, SharedCrops, create_block
from clipsearch.images.worker_frames import HashedFile
from clipsearch.processes import start_python

# Signals of a faulty process; other signals come from outside.
_CRASHES = frozenset({"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS", "SIGTRAP"})

# Seconds that a worker may take to exit.
_EXIT_S = 10

# Memory of a worker besides the picture: the libraries, and files of 64 MB.
_BASE_BYTES = 1 << 30


class WorkerStartError(Exception):
    """A process could not be started; the text says why."""


class WorkerDiedError(Exception):
    """A worker process ended; the text says how.

    Attributes:
        is_crash: a decoder crashed, on this file or because of the file before.
        limit: as in `ImageReadError`.
        is_timeout: decoding one file took too long, by a limit of time for each file.
        is_transient: a retry may succeed: neither the file nor a limit is to blame.
    """

    def __init__(
        self,
        reason: str,
        *,
        is_crash: bool = False,
        limit: tuple[str, float] | None = None,
        is_timeout: bool = False,
    ) -> None:
        super().__init__(reason)
        self.is_crash = is_crash
        self.limit = limit
        self.is_timeout = is_timeout
        self.is_transient = not is_crash and limit is None


class WorkerProcess:
    """One worker process, started for the first list and again after it died. Not thread-safe but for `free_slots`.

    Attributes:
        free_slots: slots of the shared block whose crops are not used any more.
        is_waiting: it has read a list and waits for a request.
    """

    def __init__(
        self, spec: Preprocess, limits: DecodingLimits, large: threading.Lock, *, detail: bool = False
    ) -> None:
        """Configure the process.

        Args:
            large: held while a large picture is decoded.
            detail: as in `LocalPicture`.
        """
        self._detail = detail
        self.free_slots = list(range(SLOTS))
        self._spec = spec
        self._limits = limits
        self._large = large
        self._process: subprocess.Popen[bytes] | None = None
        # The block outlives the process: what a list has given may still be collected when a later one crashes.
        self._crops: SharedCrops | None = None
        self._descriptor: int | None = None
        self._position = -1  # without a block
        self._has_failed = False
        self.is_waiting = False

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def position(self) -> int:
        """Position in the last request of `decode` of the file that was decoded when the process ended; -1 for none."""
        return self._position if self._crops is None else self._crops.position

    def read(self, paths: Sequence[str]) -> list[HashedFile | Exception]:
        """Read and hash files in the process, which then waits for `decode`, `show` or `skip`.

        Returns:
            Stamp and blake3 of each file, or the OSError or TransientReadError why it can't be read.

        Raises:
            WorkerStartError: the process can't be started.
            WorkerDiedError: it has ended.
        """
        if self._has_failed:  # earlier pictures may still hold some of the memory: a new process has all of it
            self.close()
        self._send(frames.READ, frames.pack_paths(paths))
        found = frames.unpack_hashed(self._receive()[1])
        self.is_waiting = True
        self._note(found)
        return found

    def decode(self, rows: Sequence[int], slot: int | None) -> list[Decoded | Exception]:
        """Decode some files of the list, by their positions in it.

        Args:
            slot: of the shared block for the crops; None: they are copied through the pipe.

        Returns:
            What was decoded, or the ImageReadError, of each; fewer than requested when memory ran out on the last.

        Raises:
            WorkerDiedError: the process has ended.
        """
        self.is_waiting = False
        self._position = -1
        if self._crops is not None:
            self._crops.position = -1
        block = None if slot is None or self._crops is None else self._crops.rows(slot)
        self._send(frames.DECODE, frames.pack_request(rows, None if block is None else slot))
        found = frames.unpack_decoded(
            self._receive_answer()[1], block, height=self._spec.height, width=self._spec.width
        )
        self._note(found)
        return found

    def show(self, kind: int, content: bytes = b"") -> bytes:
        """Request SHRINK, DESCRIBE, VIEW or READ_TEXT of the first file, and return the content of the answer.

        Raises:
            OSError, ImageReadError: it can't be decoded.
            WorkerDiedError: the process has ended.
        """
        self.is_waiting = False
        self._send(kind, content)
        answer, content = self._receive_answer()
        if answer == frames.FAILED:
            error = frames.unpack_failure(content)
            self._note([error])
            raise error
        return content

    def skip(self) -> None:
        """Let go of the list, if it waits with one."""
        if self.is_waiting:
            self.is_waiting = False
            with suppress(WorkerDiedError):
                self._send(frames.SKIP)

    def close(self) -> None:
        process = self._process
        self._has_failed = self.is_waiting = False
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

    def free(self) -> None:
        """End the process for good; crops that are still used keep their memory."""
        self.close()
        self._crops = None
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _note(self, found: Sequence[object]) -> None:
        self._has_failed |= any(isinstance(each, Exception) and frames.is_transient(each) for each in found)

    def _receive_answer(self) -> tuple[int, bytes]:
        while True:
            kind, content = self._receive()
            if kind == frames.LARGE:
                with self._large:
                    self._send(frames.GO)
                    kind, content = self._receive()
            if kind == frames.NEXT:
                self._position += 1
            elif kind != frames.SMALL:
                return kind, content

    def _send(self, kind: int, content: bytes = b"") -> None:
        process = self._ensure_started()
        try:
            frames.write_frame(process.stdin, kind, content)  # type: ignore[arg-type]
        except OSError as error:
            raise self._explain_death(process) from error

    def _receive(self) -> tuple[int, bytes]:
        process = self._ensure_started()
        try:
            return frames.read_frame(process.stdout)  # type: ignore[arg-type]
        except (EOFError, OSError) as error:
            raise self._explain_death(process) from error

    def _ensure_started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            try:
                self._process = self._start()
                frames.read_frame(self._process.stdout)  # type: ignore[arg-type]
            except (OSError, EOFError) as error:
                self.close()
                raise WorkerStartError("no process could be started") from error
            except BaseException:
                self.close()
                raise
        return self._process

    def _start(self) -> "subprocess.Popen[bytes]":
        if self._crops is None:
            self._descriptor = create_block(self._spec)
            if self._descriptor is not None:
                self._crops = SharedCrops(self._descriptor, self._spec)
        limits = self._limits
        options = {
            "preprocess": as_json(self._spec),
            "max_megapixels": limits.max_megapixels,
            "max_seconds": limits.max_seconds,
            "max_wall_seconds": limits.max_wall_seconds,
            "memory_bytes": _BASE_BYTES + int(limits.max_megapixels * 1e6 * BYTES_PER_PIXEL),
            "crops": self._descriptor,
            "detail": self._detail,
        }
        return start_python(
            ["-m", "clipsearch.images.worker", json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # output of decoders
            is_apart=True,  # a process that is still starting would die of Ctrl-C
            is_deaf=True,  # also before it is apart
            is_exposed=True,
            pass_fds=() if self._descriptor is None else (self._descriptor,),
            # One thread each: several pictures are decoded in parallel.
            OPENBLAS_NUM_THREADS="1",
            OMP_NUM_THREADS="1",
        )

    def _explain_death(self, process: "subprocess.Popen[bytes]") -> WorkerDiedError:
        self.close()
        code = process.returncode
        if code >= 0:
            return WorkerDiedError(f"its decoder ended with {code}")
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        if name == "SIGPROF":
            seconds = self._limits.max_seconds
            reason = f"it took longer than {seconds} s to decode"
            return WorkerDiedError(reason, limit=("seconds", seconds), is_timeout=True)
        if name == "SIGALRM":
            wall = self._limits.max_wall_seconds
            reason = f"it took longer than {wall} s to decode, most of them waiting for its turn"
            return WorkerDiedError(reason, is_timeout=True)
        if name == "SIGKILL":  # by the system, most likely
            return WorkerDiedError("not enough memory to decode it")
        if name not in _CRASHES:
            return WorkerDiedError(f"its decoder was ended from outside ({name})")
        return WorkerDiedError(f"its decoder crashed ({name})", is_crash=True)
