"""One index run: find what changed, embed what is new, store it. The FAISS index follows from the store."""

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from clipsearch.captions import embed_captions
from clipsearch.encoders.base import Encoder
from clipsearch.errors import ClipSearchNotice, InputError
from clipsearch.images.find import UnseenPath, find_images
from clipsearch.images.reading import PictureReader, ReadPicture, Task
from clipsearch.runners.local import default_workers, map_ahead
from clipsearch.store import ContentRecord, FileRecord, KnownFile, Scope, Store, utc_now
from clipsearch.types import IndexReport, SkippedFile

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures to do) of those that are new or changed."""


@dataclass(slots=True)
class _Run:
    """What has been counted so far."""

    found: int = 0
    embedded: int = 0
    reused: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)
    unsupported: dict[str, int] = field(default_factory=dict)


def index_folders(
    scopes: Sequence[Scope],
    *,
    store: Store,
    encoder: Encoder,
    model_id: int,
    prune: bool = False,
    on_progress: Progress | None = None,
) -> IndexReport:
    """Brings the store up to date with the folders.

    Every batch is committed: whatever stops the run, the next one goes on from there. KeyboardInterrupt ends it early
    with `interrupted` set. Files that can't be read are reported, and tried again when they change.

    Args:
        prune: forget the files of a folder even when all of them are gone, which else looks like an unmounted drive.
    """
    started_at, start = utc_now(), perf_counter()
    run = _Run()
    interrupted = False
    tasks: list[Task] = []
    try:
        missing = store.pictures.contents_without_embedding(model_id=model_id)
        for scope in scopes:
            tasks += _find_changes(scope, store=store, run=run, missing=missing, prune=prune)
        _embed_tasks(tasks, store=store, encoder=encoder, model_id=model_id, run=run, on_progress=on_progress)
        embed_captions(store, encoder, model_id=model_id)
    except KeyboardInterrupt:
        interrupted = True
    report = IndexReport(
        found=run.found,
        embedded=run.embedded,
        reused=run.reused,
        unchanged=run.unchanged,
        removed=run.removed,
        skipped=tuple(sorted(run.skipped, key=lambda skipped: skipped.path)),
        unsupported=dict(sorted(run.unsupported.items())),
        seconds=perf_counter() - start,
        model=encoder.name,
        interrupted=interrupted,
    )
    store.runs.add(report, model_id=model_id, started_at=started_at)
    return report


def _find_changes(scope: Scope, *, store: Store, run: _Run, missing: set[int], prune: bool) -> list[Task]:
    """Compares the folder with what is known, forgets what is gone, and returns what has to be read.

    `missing`: contents without an embedding of the model; one file of each is read again, and taken out of the set.
    """
    known = store.pictures.known_files(scope)
    folder = os.path.join(scope.root, scope.subfolder) if scope.subfolder else scope.root  # noqa: PTH118
    try:
        found = find_images(scope.root, subfolder=scope.subfolder)
    except InputError as error:
        if not os.path.isdir(folder):  # noqa: PTH112
            _forget(known, folder=folder, is_empty=True, store=store, run=run, prune=prune)
            if prune and not scope.subfolder:
                store.pictures.remove_root(scope.root_id)
        else:
            run.found += 1
            run.skipped.append(SkippedFile(folder, str(error)))
        return []
    run.found += len(found.images)
    for suffix, count in found.unsupported.items():
        run.unsupported[suffix] = run.unsupported.get(suffix, 0) + count
    tasks: list[Task] = []
    for image in found.images:
        path = f"{scope.root.rstrip(os.sep)}{os.sep}{image.relative_path}"
        old = known.pop(image.relative_path, None)
        if old is None or (old.size_bytes, old.mtime_ns) != (image.size_bytes, image.mtime_ns):
            tasks.append(Task(scope.root_id, image.relative_path, path))
        elif old.content_id is None:
            run.skipped.append(SkippedFile(path, old.skip_reason or "unreadable"))
        elif old.content_id in missing:
            missing.discard(old.content_id)
            tasks.append(Task(scope.root_id, image.relative_path, path))
        else:
            run.unchanged += 1
    for unseen in found.unseen:
        run.found += 1
        run.skipped.append(SkippedFile(os.path.join(scope.root, unseen.relative_path), unseen.reason))  # noqa: PTH118
    gone = {path: old for path, old in known.items() if not _is_unseen(path, found.unseen)}
    _forget(gone, folder=folder, is_empty=not found.images, store=store, run=run, prune=prune)
    return tasks


def _is_unseen(path: str, unseen: Sequence[UnseenPath]) -> bool:
    return any(
        not place.relative_path or path == place.relative_path or path.startswith(place.relative_path + "/")
        for place in unseen
    )


def _forget(gone: dict[str, KnownFile], *, folder: str, is_empty: bool, store: Store, run: _Run, prune: bool) -> None:
    if not gone:
        return
    if is_empty and not prune:
        warnings.warn(
            f"{folder} is not there or holds no pictures any more that are not ignored, {len(gone)} were indexed: "
            "nothing is removed, in case its drive is not mounted. If they are really gone: clipsearch index --prune",
            ClipSearchNotice,
            stacklevel=2,
        )
        return
    store.pictures.remove_files(old.file_id for old in gone.values())
    run.removed += len(gone)


def _embed_tasks(
    tasks: Sequence[Task],
    *,
    store: Store,
    encoder: Encoder,
    model_id: int,
    run: _Run,
    on_progress: Progress | None,
) -> None:
    """Reads and decodes ahead in threads, embeds and stores batch by batch."""
    if not tasks:
        return
    reader = PictureReader(
        encoder.preprocess, is_stored=lambda blake3: store.pictures.has_embedding(blake3, model_id=model_id)
    )
    writer = _Writer(store=store, encoder=encoder, model_id=model_id, reader=reader, run=run)
    done = 0
    try:
        for picture in map_ahead(reader.read, tasks, workers=default_workers(), ahead=2 * encoder.batch_size):
            writer.take(picture)
            done += 1
            if on_progress is not None:
                on_progress(done, len(tasks))
    finally:
        # Also when the user stops the run: what was read is kept.
        writer.finish()


class _Writer:
    """Collects what was read into batches; each batch is embedded and stored in one transaction."""

    def __init__(self, *, store: Store, encoder: Encoder, model_id: int, reader: PictureReader, run: _Run) -> None:
        self._store = store
        self._encoder = encoder
        self._model_id = model_id
        self._reader = reader
        self._run = run
        self._fresh: list[ReadPicture] = []
        self._files: list[FileRecord] = []
        self._twins: list[ReadPicture] = []

    def take(self, picture: ReadPicture) -> None:
        self._sort(picture)
        batch = self._encoder.batch_size
        if len(self._fresh) >= batch or len(self._files) + len(self._twins) >= 16 * batch:
            self.flush()

    def _sort(self, picture: ReadPicture) -> None:
        match picture.outcome:
            case "decoded":
                self._fresh.append(picture)
            case "stored":
                self._files.append(_file_record(picture))
            case "twin":
                self._twins.append(picture)
            case "failed":
                self._run.skipped.append(SkippedFile(picture.task.path, picture.reason))
                # What the system refused today it may allow tomorrow: only what the file itself holds is remembered.
                if picture.is_lasting:
                    self._files.append(_file_record(picture))

    def flush(self) -> None:
        """Embeds and stores what has been collected; when it is interrupted, all of it is still to do."""
        self._settle_twins()
        fresh, files, run = self._fresh, self._files, self._run
        n_embedded, n_reused = len(fresh), sum(file.blake3 is not None for file in files)
        contents: list[ContentRecord] = []
        if fresh:
            crops = np.stack([picture.crop for picture in fresh if picture.crop is not None])
            embeddings = self._encoder.encode_images(crops)
            contents = [
                _content_record(picture, embedding) for picture, embedding in zip(fresh, embeddings, strict=True)
            ]
        if fresh or files:
            self._store.pictures.record(contents, [*files, *map(_file_record, fresh)], model_id=self._model_id)
        # In one go, without a call in it: Ctrl-C can't come between, and nothing is counted twice or not at all.
        self._fresh, self._files, run.embedded, run.reused = [], [], run.embedded + n_embedded, run.reused + n_reused
        self._reader.mark_stored(content.blake3 for content in contents)

    def finish(self) -> None:
        """Stores what is left. Twins of what was stored last are settled by a second flush."""
        self.flush()
        self.flush()

    def _settle_twins(self) -> None:
        """Files whose content was first met in another file of this run, once it is known what became of that."""
        waiting, self._twins = self._twins, []
        for twin in waiting:
            self._sort(self._reader.outcome(twin) or twin)


def _file_record(picture: ReadPicture) -> FileRecord:
    failed = picture.outcome == "failed"
    return FileRecord(
        root_id=picture.task.root_id,
        relative_path=picture.task.relative_path,
        size_bytes=picture.size_bytes,
        mtime_ns=picture.mtime_ns,
        blake3=None if failed else picture.blake3,
        skip_reason=picture.reason if failed else None,
    )


def _content_record(picture: ReadPicture, embedding: NDArray[np.float32]) -> ContentRecord:
    metadata = picture.metadata
    if metadata is None or picture.blake3 is None:
        raise ValueError(f"{picture.task.path} was not decoded")
    return ContentRecord(
        blake3=picture.blake3,
        size_bytes=picture.size_bytes,
        width=metadata.width,
        height=metadata.height,
        format=metadata.format,
        taken_at=metadata.taken_at,
        camera=metadata.camera,
        latitude=metadata.latitude,
        longitude=metadata.longitude,
        embedding=embedding,
    )
