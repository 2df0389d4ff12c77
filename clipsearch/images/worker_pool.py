"""Decode files in worker processes, see `worker`: a crash or a timeout is a reason to skip a file."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar, cast

from clipsearch.errors import ImageReadError, TransientReadError
from clipsearch.images import worker_frames as frames
from clipsearch.images.copies.views import PictureView, unpack_view
from clipsearch.images.decode import DecodingLimits
from clipsearch.images.file_stamp import FileStamp
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.reading import Decoded, LocalList, OpenList, OpenPicture, open_list
from clipsearch.images.thumbnails import Thumbnail
from clipsearch.images.worker_frames import HashedFile
from clipsearch.images.worker_process import WorkerDiedError, WorkerProcess, WorkerStartError
from clipsearch.notices import notify
from clipsearch.ocr.look import ReadImage
from clipsearch.ocr.models import OcrModels
from clipsearch.parts import Part
from clipsearch.types import ImageMetadata

Answer = TypeVar("Answer")

# Crops of shorter lists are copied, else the lists of a batch would hold all slots: their files are slow, large or the
# last.
_FEW_FILES = 8

# A new worker is started once each of the others has been given this many files: a handful of files needs only one.
_FILES_BEFORE_NEXT = 8

# A file is retried in a new process when its decoder crashes: the file before may be to blame.
_ATTEMPTS = 2


class WorkerPool:
    """Opens files in worker processes, up to one per concurrent thread, each started on demand. Thread-safe."""

    def __init__(self, spec: Preprocess, *, limits: DecodingLimits, detail: bool = False) -> None:
        """Configure the pool; arguments as in `LocalPicture`."""
        self._detail = detail
        self._spec = spec
        self._limits = limits
        self._lock = threading.Condition()
        self._idle: list[WorkerProcess] = []
        self._count = 0
        self._files_given = 0
        self._one_large_picture = threading.Lock()
        self._has_start_failed = False
        self._is_closed = False

    @contextmanager
    def open_path(self, path: str) -> Iterator[OpenPicture]:
        """Open and hash a file, as `reading.OpenPath`; a file that crashes the worker raises OSError."""
        with self._worker(1) as worker:
            files = self._read(worker, [path])
            if files is None:
                with self._open_here([path]) as here:
                    yield here.picture(0)
                return
            if isinstance(files[0], Exception):
                worker.skip()
                raise files[0]
            try:
                yield _RemotePicture(_RemoteList([path], worker, files))
            finally:
                worker.skip()

    @contextmanager
    def open_list(self, paths: Sequence[str]) -> Iterator[OpenList]:
        """Open and hash files in one worker, as `reading.OpenLists`.

        A crash, a timeout or a lack of memory costs the list its process: its files are then read one by one, without
        the one that took too long.
        """
        with self._worker(len(paths)) as worker:
            files = self._read(worker, paths)
            if files is None:
                with self._open_here(paths) as here:
                    yield here
                return
            try:
                yield _RemoteList(paths, worker, files)
            finally:
                worker.skip()

    def _open_here(self, paths: Sequence[str]) -> AbstractContextManager[LocalList]:
        return open_list(paths, spec=self._spec, max_megapixels=self._limits.max_megapixels, detail=self._detail)

    def _read(self, worker: WorkerProcess, paths: Sequence[str]) -> list[HashedFile | Exception] | None:
        """Read and hash files in a worker; None when no worker can be started."""
        death: Exception | None = None
        for _ in range(_ATTEMPTS):
            if self._has_start_failed and not worker.is_running:
                return None if death is None else [OSError(str(death))] * len(paths)
            try:
                return worker.read(paths)
            except WorkerStartError as error:
                with self._lock:
                    is_first, self._has_start_failed = not self._has_start_failed, True
                if is_first:
                    notify(f"{error}: pictures are decoded in the program itself, without limits of time and memory")
            except WorkerDiedError as error:
                death = error
                if len(paths) > 1:
                    return [self._read_alone(worker, path) for path in paths]
        return [OSError(str(death))] * len(paths)

    def _read_alone(self, worker: WorkerProcess, path: str) -> HashedFile | Exception:
        files = self._read(worker, [path])
        if files is None:
            return OSError("no process could be started")
        worker.skip()
        return files[0]

    def rest(self) -> None:
        """End the idle workers but one, which the next file need not wait for; more are started on demand."""
        with self._lock:
            ended = self._idle[1:]
            del self._idle[1:]
            self._count -= len(ended)
            self._files_given = 0
        for each in ended:
            each.free()

    def close(self) -> None:
        """End the workers; a busy one ends after its list. Crops that were given stay valid."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
            self._count -= len(idle)
        for each in idle:
            each.free()

    @contextmanager
    def _worker(self, n_files: int) -> Iterator[WorkerProcess]:
        opened = self._take(n_files)
        try:
            yield opened
        finally:
            with self._lock:
                self._idle.append(opened)
                self._lock.notify_all()
                is_closed = self._is_closed
            if is_closed:  # late callers still get an answer, but leave no process behind
                self.close()

    def _take(self, n_files: int) -> WorkerProcess:
        with self._lock:
            self._files_given += n_files
            self._lock.notify_all()
            while not self._idle and self._count > self._files_given // _FILES_BEFORE_NEXT:
                self._lock.wait()
            if self._idle:
                best = max(self._idle, key=lambda each: (each.is_running, len(each.free_slots)))
                self._idle.remove(best)
                return best
            self._count += 1
        return WorkerProcess(self._spec, self._limits, self._one_large_picture, detail=self._detail)


class _RemoteList:
    """`OpenList` read by a worker."""

    def __init__(self, paths: Sequence[str], worker: WorkerProcess, files: list[HashedFile | Exception]) -> None:
        self.files = files
        self._paths = paths
        self._worker = worker
        self._slot: int | None = None

    def decode(self, rows: Sequence[int]) -> list[Decoded | Exception]:
        found: list[Decoded | Exception] = []
        death: WorkerDiedError | None = None
        if self._worker.is_waiting:  # not when it died, and the files were read one by one
            try:
                found += self._worker.decode(rows, self._take_slot())
                if len(rows) < _FEW_FILES:
                    found = self._take_out(found)
            except WorkerDiedError as error:
                death = error
        blamed = self._worker.position
        # One by one, in a new process: what is left of a list whose process died, or has no more memory.
        for position in range(len(found), len(rows)):
            if death is None or position != blamed:
                found.append(self._decode_alone(rows[position], deaths=0))
            elif death.is_timeout or (len(rows) == 1 and not death.is_crash):
                found.append(_failure(death))
            else:  # the files before may be to blame
                found.append(self._decode_alone(rows[position], deaths=int(death.is_crash)))
        return found

    def _decode_alone(self, row: int, deaths: int) -> Decoded | Exception:
        try:
            return self.request(lambda worker: worker.decode([0], None)[0], row, deaths=deaths)
        except ImageReadError as error:
            return error

    def request(self, call: Callable[[WorkerProcess], Answer], row: int = 0, *, deaths: int = 0) -> Answer:
        """Have the worker decode one file of the list.

        Args:
            deaths: how often that has killed a worker.

        Raises:
            ImageReadError: it killed one again, or can't be read any more.
        """
        while True:
            if not (self._worker.is_waiting and len(self._paths) == 1):
                self._read_again(row)
            try:
                return call(self._worker)
            except WorkerDiedError as error:
                deaths += 1
                if not error.is_crash or deaths >= _ATTEMPTS:
                    raise _failure(error) from error

    def _read_again(self, row: int) -> None:
        try:
            [file] = self._worker.read([self._paths[row]])
        except (WorkerDiedError, WorkerStartError) as error:
            raise TransientReadError(str(error)) from error
        if isinstance(file, Exception):
            self._worker.skip()
            raise TransientReadError(getattr(file, "strerror", None) or str(file)) from file
        known = self.files[row]
        if isinstance(known, Exception) or file[1] != known[1]:
            self._worker.skip()
            raise TransientReadError("changed while it was read")

    def _take_out(self, found: Sequence[Decoded | Exception]) -> list[Decoded | Exception]:
        """Copy the crops, so that their slot is free at once."""
        copies = [each if isinstance(each, Exception) else each._replace(crop=each.crop.copy()) for each in found]
        self.release()
        return copies

    def _take_slot(self) -> int | None:
        try:
            self._slot = self._worker.free_slots.pop()
        except IndexError:  # the crops of earlier lists are still used: these go through the pipe
            self._slot = None
        return self._slot

    def release(self) -> None:
        if self._slot is not None:
            self._worker.free_slots.append(self._slot)
            self._slot = None


class _RemotePicture:
    """`OpenPicture` read by a worker."""

    def __init__(self, opened: _RemoteList) -> None:
        self._opened = opened
        self.stamp, self.blake3 = cast("tuple[FileStamp, bytes]", opened.files[0])

    def decode(self) -> Decoded:
        found = self._opened.request(lambda worker: worker.decode([0], None)[0])
        if isinstance(found, Exception):
            raise found
        return found

    def describe(self) -> ImageMetadata:
        return frames.unpack_metadata(self._show(frames.DESCRIBE))

    def shrink(self, side: int, part: Part | None = None) -> Thumbnail:
        return frames.unpack_thumbnail(self._show(frames.SHRINK, frames.pack_shrink(side, part)))

    def view(self, side: int) -> PictureView:
        return unpack_view(self._show(frames.VIEW, frames.SIDE.pack(side)))

    def read_text(self, models: OcrModels, part: Part | None = None) -> ReadImage:
        return frames.unpack_text(self._show(frames.READ_TEXT, frames.pack_text_request(models, part)))

    def _show(self, kind: int, content: bytes = b"") -> bytes:
        return self._opened.request(lambda worker: worker.show(kind, content))


def _failure(error: WorkerDiedError) -> ImageReadError:
    if error.is_transient:
        return TransientReadError(str(error))
    return ImageReadError(str(error), limit=error.limit)
