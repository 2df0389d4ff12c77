"""Decode files in a worker process: a decoder that crashes, hangs or exhausts memory takes only this process with it.

It reads lists of paths from stdin and answers on stdout, in frames, see `worker_frames`:

    parent                    worker
                       ◄──    READY
    READ paths         ──►    reads and hashes the files
                       ◄──    HASHED stamp, blake3 or failure of each
    DECODE rows, slot  ──►    decodes these files of the list
                       ◄──    NEXT                                before each of them, without shared memory
                       ◄──    LARGE                               only before a large picture, then waits
    GO                 ──►
                       ◄──    SMALL                               after a large picture
                       ◄──    DECODED metadata or failure of each
    SHRINK | DESCRIBE | VIEW | READ_TEXT ─► decodes the first file of the list
                       ◄──    SHRUNK width, height, JPEG          after SHRINK
                              DESCRIBED metadata                  after DESCRIBE
                              VIEWED view                         after VIEW
                              TEXT lines                          after READ_TEXT
                              FAILED
    SKIP               ──►    goes on to the next list

The crops lie in a slot of a block of memory that is shared with the parent, where there is one, else in DECODED. The
block also tells which file is decoded, see `shared_crops`.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from clipsearch.errors import ImageReadError, MissingExtraError, ModelError, TransientReadError
from clipsearch.images import worker_frames as frames
from clipsearch.images.copies.views import pack_view
from clipsearch.images.preprocess import Preprocess, from_json
from clipsearch.images.reading import Decoded, LocalList, LocalPicture, open_list
from clipsearch.images.reasons import one_line
from clipsearch.images.shared_crops import SharedCrops


class Alarm(NamedTuple):
    """Timers that end the process with a signal, even inside a decoder: not on Windows.

    Attributes:
        cpu_seconds: CPU time of all threads together; then SIGPROF.
        wall_seconds: wall-clock time; then SIGALRM.
    """

    cpu_seconds: float
    wall_seconds: float

    def start(self) -> None:
        self._set(self.cpu_seconds, self.wall_seconds)

    def stop(self) -> None:
        self._set(0, 0)

    @staticmethod
    def _set(cpu_seconds: float, wall_seconds: float) -> None:
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            signal.setitimer(signal.ITIMER_REAL, wall_seconds)


class Server:
    """Answers requests of the parent."""

    def __init__(
        self,
        requests: BinaryIO,
        answers: BinaryIO,
        *,
        spec: Preprocess,
        max_megapixels: float,
        alarm: Alarm,
        crops: SharedCrops | None,
        detail: bool,
    ) -> None:
        self._requests = requests
        self._answers = answers
        self._spec = spec
        self._max_megapixels = max_megapixels
        self._alarm = alarm
        self._crops = crops
        self._detail = detail
        self._has_turn = False

    def run(self) -> None:
        """Answer until the parent closes the pipe or exits.

        Raises:
            EOFError: it did so in the middle of a list.
        """
        frames.write_frame(self._answers, frames.READY)
        while True:
            try:
                _, paths = frames.read_frame(self._requests)
            except EOFError:
                return
            opened = open_list(
                frames.unpack_paths(paths),
                spec=self._spec,
                max_megapixels=self._max_megapixels,
                turn=self._turn,
                detail=self._detail,
            )
            with opened as pictures:
                self._answer(pictures)

    def _answer(self, opened: LocalList) -> None:
        frames.write_frame(self._answers, frames.HASHED, frames.pack_hashed(opened.files))
        kind, content = frames.read_frame(self._requests)
        if kind == frames.SKIP:
            return
        if kind == frames.DECODE:
            answer = frames.DECODED, self._decode(opened, *frames.unpack_request(content))
        else:
            try:
                answer = self._show(opened.picture(0), kind, content)
            except (ImageReadError, MemoryError, OSError) as error:
                answer = frames.FAILED, frames.pack_failure(error)
            except (ModelError, MissingExtraError, ImportError) as error:
                answer = frames.FAILED, frames.pack_failure(TransientReadError(one_line(str(error))))
        frames.write_frame(self._answers, *answer)

    def _decode(self, opened: LocalList, rows: Sequence[int], slot: int | None) -> bytes:
        """Decode some files of the list, up to the first that fails for lack of memory: a new process has all of it."""
        target = None if self._crops is None or slot is None else self._crops.rows(slot)
        found: list[Decoded | Exception] = []
        for place, row in enumerate(rows):
            self._tell_position(place)
            try:
                decoded = self._decode_one(opened.picture(row))
            except (ImageReadError, MemoryError, OSError) as error:
                found.append(error)
                if frames.is_transient(error):
                    break
            else:
                found.append(decoded)
                if target is not None:
                    target[place] = decoded.crop
            if self._has_turn:
                self._has_turn = False
                frames.write_frame(self._answers, frames.SMALL)
        self._has_turn = False
        return frames.pack_decoded(found, with_crops=target is None)

    def _tell_position(self, position: int) -> None:
        if self._crops is None:
            frames.write_frame(self._answers, frames.NEXT)
        else:
            self._crops.position = position

    def _decode_one(self, picture: LocalPicture) -> Decoded:
        self._alarm.start()
        try:
            return picture.decode()
        finally:
            self._alarm.stop()

    def _show(self, picture: LocalPicture, kind: int, content: bytes) -> tuple[int, bytes]:
        if kind == frames.READ_TEXT:
            from clipsearch.ocr.reader import load_reader

            models, part = frames.unpack_text_request(content)
            load_reader(models)  # which is not decoding
        self._alarm.start()
        try:
            if kind == frames.SHRINK:
                return frames.SHRUNK, frames.pack_thumbnail(picture.shrink(*frames.unpack_shrink(content)))
            if kind == frames.DESCRIBE:
                return frames.DESCRIBED, frames.pack_metadata(picture.describe())
            if kind == frames.READ_TEXT:
                return frames.TEXT, frames.pack_text(picture.read_text(models, part))
            return frames.VIEWED, pack_view(picture.view(*frames.SIDE.unpack(content)))
        finally:
            self._alarm.stop()
            self._has_turn = False

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for the turn of a large picture; the parent takes it back after the picture."""
        self._alarm.stop()  # waiting is not decoding
        if not self._has_turn:  # a truncated picture is decoded twice
            frames.write_frame(self._answers, frames.LARGE)
            frames.read_frame(self._requests)
            self._has_turn = True
        self._alarm.start()
        yield


def _limit_memory(limit_bytes: int) -> None:
    if sys.platform == "linux":
        import resource

        with contextlib.suppress(ValueError, OSError):  # a lower limit is set already
            resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


def main() -> None:
    """Run `python -m clipsearch.images.worker OPTIONS`, as JSON; see `worker_process`."""
    options = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whatever sends it: the parent ends this process
    _limit_memory(options["memory_bytes"])
    # Output of decoders must not get between the frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    spec, descriptor = from_json(options["preprocess"]), options["crops"]
    server = Server(
        sys.stdin.buffer,
        answers,
        spec=spec,
        max_megapixels=options["max_megapixels"],
        alarm=Alarm(options["max_seconds"], options["max_wall_seconds"]),
        crops=None if descriptor is None else SharedCrops(descriptor, spec),
        detail=options["detail"],
    )
    with contextlib.suppress(BrokenPipeError, EOFError):
        server.run()
    os._exit(0)  # nothing to clean up, and a parent that waits need not wait for it


if __name__ == "__main__":
    main()
