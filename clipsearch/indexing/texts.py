"""Read the text in pictures that are indexed: a second pass, which takes up where it was stopped."""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic

from PIL import Image, ImageDraw, ImageFont

from clipsearch import processes
from clipsearch.errors import ImageReadError, ModelError, TransientReadError
from clipsearch.formats import FILM_FORMATS
from clipsearch.images.decode import DecodingLimits, default_limits
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.reading import OpenPicture
from clipsearch.images.worker_pool import WorkerPool
from clipsearch.indexing.interrupt import DeferredInterrupt, RunCancelled
from clipsearch.indexing.kinds import KindTeller
from clipsearch.notices import notify
from clipsearch.ocr.kinds import TextPicture
from clipsearch.ocr.lines import TextLine
from clipsearch.ocr.look import ReadImage
from clipsearch.ocr.models import BUNDLED, OcrModels, bundled_models, find_models, models_in, remember_folder
from clipsearch.parts import Part, locate
from clipsearch.prefetch import Wake, WorkAhead
from clipsearch.quantities import count
from clipsearch.session.session import Session
from clipsearch.store import Store
from clipsearch.store.backends.base import chunks
from clipsearch.store.texts import ReadText
from clipsearch.types import ImageMetadata, SkippedFile, TextReport

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures to do)."""

# Texts that are stored together, and seconds after which fewer are: a run that is stopped loses no more.
_AT_ONCE, _MAX_WAIT_S = 200, 5.0

# Pages of one document that are read.
_MOST_PAGES = 200

# Memory of a process that reads text: Python and the models, and one picture.
_WORKER_BYTES = 700_000_000

# Lines of a picture by which it is found out whether models can be used.
_SAMPLE = (
    "Invoice",
    "Total amount",
    "Thank you for your visit to our shop",
    "Exit",
    "Platform",
    "A line of words",
    "Sum",
)

# Placeholder: the worker pool requires one, and no model input is computed here.
_ANY_MODEL = Preprocess(1, 1, None, 2, 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@dataclass(frozen=True, slots=True)
class _ToRead:
    content_id: int
    blake3: bytes
    paths: Sequence[str]
    pages: Sequence[Part]
    metadata: ImageMetadata


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one content.

    Attributes:
        lines: None: nothing is known of it.
        picture: what its kind is told by, with the same lines.
        is_read: it is not looked at again.
    """

    content_id: int
    lines: Sequence[TextLine] | None = None
    picture: TextPicture | None = None
    is_read: bool = False
    failures: tuple[SkippedFile, ...] = ()


def read_texts(
    session: Session,
    *,
    models: str | os.PathLike[str] | None = None,
    limits: DecodingLimits | None = None,
    again: bool = False,
    on_progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> TextReport:
    """Look for text in all pictures in which that was not done yet, and store it.

    Of documents and other files of pages all pages are read, up to 200, of animations the first frame; films are left
    out. KeyboardInterrupt or `cancel` ends it early with `interrupted` set; what was read until then is stored.

    Args:
        models: folder of the models, see `ocr.models.models_in`, or `BUNDLED`; they are those of later passes, too.
        again: also where it was done, in this pass or in later ones if it is interrupted; what can't be read now keeps
            what was read then.

    Raises:
        InputError: no such models.
        MissingExtraError: what reads text is not installed.
        ModelError: it can't be loaded.
    """
    start, store = monotonic(), session.store
    used = choose_models(store, models)
    is_as_before = models is None and not again
    ids = store.texts.to_read() if is_as_before else []
    if is_as_before and not ids:
        return TextReport(0, 0, 0, (), 0.0)
    interrupted, is_stopped = False, threading.Event()
    wake: Wake = SimpleQueue()
    with (
        closing(WorkerPool(_ANY_MODEL, limits=limits or default_limits())) as pool,
        DeferredInterrupt(wake, cancel=cancel) as interrupt,
    ):
        _require_reader(pool, used)
        if not is_as_before:  # only now: models that can't be used change nothing
            ids = _begin(store, used, models, again=again)
        run = _Run(session, used.name, to_do=len(ids), on_progress=on_progress)
        workers = _count_workers()
        work: WorkAhead[_ToRead, _Outcome] = WorkAhead(
            lambda content: _read(content, used, pool, is_stopped), workers=workers, ahead=4 * workers, wake=wake
        )
        try:
            waiting = _contents(store, ids)
            content = next(waiting, None)
            while content is not None or not work.is_empty:
                interrupt.check()
                if content is not None and not work.is_full:
                    work.put(content)
                    content = next(waiting, None)
                elif work.is_ready:
                    run.take(work.first())
                    work.remove_first()
                else:
                    with suppress(Empty):
                        wake.get(timeout=1.0)
        except (KeyboardInterrupt, RunCancelled):
            interrupted = True
        finally:
            # Stored first: a second Ctrl-C does not wait for what is going on.
            is_stopped.set()
            work.stop()
            run.store_all()
            work.join()
        if interrupted:
            while work.is_ready:
                run.take(work.first())
                work.remove_first()
        run.store_all()
    return run.report(seconds=monotonic() - start, interrupted=interrupted)


def choose_models(store: Store, named: str | os.PathLike[str] | None) -> OcrModels:
    """Return the models that the user has named now, or those of the catalog; errors as in `read_texts`."""
    if named is None:
        return find_models(store.texts.models())
    return bundled_models() if named == BUNDLED else models_in(named)


def _begin(store: Store, used: OcrModels, named: str | os.PathLike[str] | None, *, again: bool) -> list[int]:
    """Store what was chosen, and return the contents to read.

    Models that were named are stored in the catalog by their name, and their folder in the user's settings: a catalog
    that comes from elsewhere names no file that is opened.
    """
    if named is not None:
        store.texts.set_models(None if named == BUNDLED else used.name)
    if named not in (None, BUNDLED):
        remember_folder(named)
    if again:
        store.texts.read_all_again()
    elif named is not None and (others := store.texts.count_of_others(reader=used.name)):
        notify(f"{count(others, 'picture was', 'pictures were')} read by other models: --again reads them with these")
    return store.texts.to_read()


def _require_reader(pool: WorkerPool, models: OcrModels) -> None:
    """Have a process load what reads text, which it then keeps, and read lines of several widths with it.

    Raises:
        ModelError: it can't.
    """
    image = Image.new("RGB", (800, 600), "white")
    for row, words in enumerate(_SAMPLE):
        ImageDraw.Draw(image).text((40, 30 + 70 * row), words, "black", ImageFont.load_default(32))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.png"
        image.save(path)
        try:
            with pool.open_path(str(path)) as picture:
                if not picture.read_text(models).lines:
                    raise ModelError("no text can be read: the models find none in a page of words")
        except ImageReadError as error:
            raise ModelError(f"no text can be read: {error}") from error


def _count_workers() -> int:
    cores, available = processes.core_count(), processes.available_bytes()
    return cores if available is None else max(1, min(cores, available // _WORKER_BYTES))


class _Run:
    """Stores what was read, some at a time, and counts it."""

    def __init__(self, session: Session, reader: str, *, to_do: int, on_progress: Progress | None) -> None:
        self._store, self._reader, self._kinds = session.store, reader, KindTeller(session)
        self._to_do, self._on_progress = to_do, on_progress
        self._unsaved: list[_Outcome] = []
        self._saved_at = monotonic()
        self._done = self._left = self._read = self._with_text = 0
        self._failures: list[SkippedFile] = []

    def take(self, outcome: _Outcome) -> None:
        """Count what came of a content, and store it with others."""
        self._done += 1
        self._failures += outcome.failures
        self._left += not outcome.is_read and not outcome.failures
        self._read += outcome.is_read and outcome.lines is not None
        self._with_text += bool(outcome.lines)
        if outcome.is_read:
            self._unsaved.append(outcome)
        if len(self._unsaved) >= _AT_ONCE or monotonic() - self._saved_at > _MAX_WAIT_S:
            self.store_all()
        if self._on_progress is not None:
            self._on_progress(self._done, self._to_do)

    def store_all(self) -> None:
        if self._unsaved:
            kinds = self._kinds.tell({each.content_id: each.picture for each in self._unsaved if each.picture})
            read = [ReadText(each.content_id, each.lines, kinds.get(each.content_id)) for each in self._unsaved]
            self._store.texts.record(read, reader=self._reader)
            self._unsaved = []
        self._saved_at = monotonic()

    def report(self, *, seconds: float, interrupted: bool) -> TextReport:
        return TextReport(
            read=self._read,
            with_text=self._with_text,
            left=self._to_do - self._done + self._left,
            skipped=tuple(sorted(self._failures, key=lambda each: each.path)),
            seconds=seconds,
            interrupted=interrupted,
        )


def _contents(store: Store, ids: Sequence[int]) -> Iterator[_ToRead]:
    for chunk in chunks(ids):
        paths = store.reader.paths(chunk)
        details = store.reader.details(chunk)
        parts = store.reader.parts.of_contents(chunk)
        for content_id in chunk:
            known = details.get(content_id)
            if content_id in paths and known is not None:
                pages = [part for _, part in parts.get(content_id, ()) if part is not None and part.page is not None]
                yield _ToRead(content_id, known.blake3, paths[content_id], pages[:_MOST_PAGES], known.metadata)


def _read(content: _ToRead, models: OcrModels, pool: WorkerPool, is_stopped: threading.Event) -> _Outcome:
    """Read any file that has the content."""
    if content.metadata.format in FILM_FORMATS:
        return _Outcome(content.content_id, (), is_read=True)
    for path in content.paths:
        try:
            with pool.open_path(path) as picture:
                if picture.blake3 == content.blake3:
                    return _read_picture(content, models, path, picture, is_stopped)
        except TransientReadError as error:
            return _Outcome(content.content_id, failures=(SkippedFile(path, str(error)),))
        except (OSError, MemoryError, ValueError):
            continue
    return _Outcome(content.content_id)


def _read_picture(
    content: _ToRead, models: OcrModels, path: str, picture: OpenPicture, is_stopped: threading.Event
) -> _Outcome:
    """Read a picture, or the pages of a document: those that can't be decoded are left out.

    What goes beyond a limit of size is looked at again by the next pass, which may have a higher one.
    """
    lines: list[TextLine] = []
    first: ReadImage | None = None  # of several pages that with the first lines
    failures: list[SkippedFile] = []
    is_read = True
    for part in content.pages or (None,):
        if is_stopped.is_set():
            return _Outcome(content.content_id)
        try:
            page = None if part is None else part.page
            read = picture.read_text(models, part)
            lines += (TextLine(line.text, line.confidence, line.box, page) for line in read.lines)
            first = read if first is None or first.look is None else first
        except TransientReadError:
            raise
        except ImageReadError as error:
            kind = None if error.limit is None else error.limit[0]
            failures.append(SkippedFile(path if part is None else locate(path, part), str(error), kind))
            is_read &= kind in (None, "seconds")
    if len(failures) == max(1, len(content.pages)):
        return _Outcome(content.content_id, None, is_read=is_read, failures=tuple(failures))
    metadata = content.metadata
    known = TextPicture(
        () if first is None else first.lines,
        None if first is None else first.look,
        metadata.width,
        metadata.height,
        has_camera=metadata.camera is not None,
        has_pages=bool(content.pages),
        name=Path(path).name,
    )
    return _Outcome(content.content_id, lines, known, is_read, tuple(failures))
