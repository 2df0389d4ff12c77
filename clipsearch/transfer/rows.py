"""Look up the rows of an import, hash their files where they exist, and store them."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from clipsearch.captions.embedding import embed_captions
from clipsearch.encoders.base import Encoder
from clipsearch.errors import ImageReadError
from clipsearch.images.file_stamp import FileStamp
from clipsearch.images.reading import OpenPath, open_picture
from clipsearch.images.reasons import too_many_bytes
from clipsearch.indexing import Progress
from clipsearch.indexing.interrupt import DeferredInterrupt
from clipsearch.prefetch import default_workers
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.text import is_valid
from clipsearch.transfer.formats.reading import EmbeddingSource
from clipsearch.transfer.formats.seal import is_own
from clipsearch.transfer.formats.source_rows import SourceContent, SourceRow
from clipsearch.transfer.model_check import ModelCheck
from clipsearch.transfer.places import IndexedFolders, present_paths, wanted_folders
from clipsearch.types import SkippedFile

# Files that are read before a Ctrl-C is seen.
_LOOKED_UP_AT_ONCE = 100


@dataclass(slots=True)
class Run:
    """Counts so far."""

    rows: int = 0
    added: int = 0
    known: int = 0
    missing: int = 0
    broken: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)
    files: int = 0
    without_file: int = 0
    outside: int = 0
    captions: int = 0
    check: ModelCheck = field(default_factory=lambda: ModelCheck(0, float("nan")))
    interrupted: bool = False
    concepts: int = 0
    albums: int = 0
    saved_searches: int = 0


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    stamp: FileStamp


@dataclass(frozen=True, slots=True)
class _Found:
    """Result of looking up a row.

    Attributes:
        blake3: of the content; None when there is none.
        content: None when it is stored with an embedding already.
        files: that have the content.
        failure: why its file can't be read; None also without a file.
    """

    row: SourceRow
    blake3: bytes | None = None
    content: SourceContent | None = None
    files: tuple[_File, ...] = ()
    failure: SkippedFile | None = None


class RowImport:
    """Import of all rows, which are looked up, hashed and stored in batches."""

    def __init__(
        self,
        source: EmbeddingSource,
        store: Store,
        *,
        encoder: Encoder,
        model_id: int,
        folder: str | None,
        named: Sequence[str],
        open_path: OpenPath,
        max_bytes: int,
        run: Run,
    ) -> None:
        """Take the source, the store and the options.

        Args:
            folder: base of relative paths.
            named: by the user, folders inside which those of an export count; real paths.
            open_path: how pictures are opened that have to be decoded.
            max_bytes: larger files are not read.
        """
        self._source = source
        self._store = store
        self._encoder = encoder
        self._model_id = model_id
        self._folder = folder
        self._open_path = open_path
        # A picture with metadata in the export is not decoded, only hashed in this process.
        self._hash_path: OpenPath = partial(open_picture, spec=encoder.preprocess)
        self._max_bytes = max_bytes
        self._run = run
        wanted = [] if folder is None else [folder]
        if source.description is not None:
            known = [scope.root for scope in store.roots.list_all()]
            # A named folder of pictures takes precedence over the folders at export.
            is_own_export = folder is None and is_own(source.description)
            wanted += wanted_folders(source.description.folders, named, known, is_own=is_own_export)
        self._places = IndexedFolders(store.roots, wanted)

    def run(self, interrupt: DeferredInterrupt, *, with_captions: bool, on_progress: Progress | None) -> None:
        with ThreadPoolExecutor(default_workers(), thread_name_prefix="clipsearch") as threads:
            for rows in self._source.batches():
                found: list[_Found] = []
                try:
                    for first in range(0, len(rows), _LOOKED_UP_AT_ONCE):
                        interrupt.check()
                        found += threads.map(self._look_up, rows[first : first + _LOOKED_UP_AT_ONCE])
                finally:
                    self._store_rows(found, with_captions=with_captions)
                if on_progress is not None:
                    on_progress(self._run.rows, self._source.rows)
        if not with_captions:
            return
        if self._source.captions is not None:
            for rows in self._source.captions.batches():
                interrupt.check()
                self._store_captions(rows)
        embed_captions(self._store, self._encoder, model_id=self._model_id)

    def _look_up(self, row: SourceRow) -> _Found:
        if row.embedding is None:
            return _Found(row)
        if row.content is None:
            return self._look_up_file(row)
        files, wanted = [], row.content.blake3
        for path in present_paths(row.paths, self._folder):
            try:
                self._check_size(path)
                with self._hash_path(path) as picture:
                    if picture.blake3 == wanted:
                        files.append(_File(path, picture.stamp))
            except (OSError, ImageReadError, MemoryError):
                continue  # the embedding is imported in any case
        return _Found(row, wanted, row.content, tuple(files))

    def _look_up_file(self, row: SourceRow) -> _Found:
        """Look up a row without metadata, by reading its file."""
        for path in present_paths(row.paths[:1], self._folder):
            try:
                self._check_size(path)
                with self._open_path(path) as picture:
                    file = _File(path, picture.stamp)
                    if self._store.pictures.has_embedding(picture.blake3, model_id=self._model_id):
                        return _Found(row, picture.blake3, None, (file,))
                    content = SourceContent(picture.blake3, picture.stamp.size_bytes, picture.describe())
                    return _Found(row, picture.blake3, content, (file,))
            except OSError as error:
                return _Found(row, failure=SkippedFile(path, error.strerror or str(error)))
            except (ImageReadError, MemoryError) as error:
                return _Found(row, failure=SkippedFile(path, str(error) or "not enough memory to read it"))
        return _Found(row)

    def _check_size(self, path: str) -> None:
        size_bytes = os.stat(path).st_size  # noqa: PTH116
        if size_bytes > self._max_bytes:
            raise too_many_bytes(size_bytes, self._max_bytes)

    def _store_rows(self, found: Sequence[_Found], *, with_captions: bool) -> None:
        run, pictures = self._run, self._store.pictures
        digests = {each.blake3 for each in found if each.blake3 is not None}
        known = pictures.with_embedding(list(digests), model_id=self._model_id)
        addable = self._parts_to_add(found, known)
        self._places.add_for(file.path for each in found for file in each.files)
        contents: dict[bytes, ContentRecord] = {}
        files: dict[tuple[int, str], FileRecord] = {}
        added = without_file = outside = 0
        for each in found:
            digest, content, embedding = each.blake3, each.content, each.row.embedding
            if digest is None:
                continue
            is_new = digest not in contents and (digest not in known or digest in addable)
            if is_new and content is not None and embedding is not None:
                contents[digest] = ContentRecord(
                    *(content.blake3, content.size_bytes, content.metadata, embedding),
                    *(each.row.parts, each.row.part_embeddings),
                )
                added += each.row.rows - (digest in known)
            places = [(file, self._places.find(file.path)) for file in each.files]
            for file, place in places:
                if place is not None:
                    files[place] = FileRecord.of(*place, file.stamp, digest)
            if not any(place for _, place in places):
                without_file += 1
                outside += bool(places)
        pictures.record(list(contents.values()), list(files.values()), model_id=self._model_id)
        texts = [each.row.caption for each in found if each.blake3 is not None and each.row.caption is not None]
        captions = self._store.captions.add(filter(None, map(_clean, texts))) if with_captions else 0
        stored = sum(each.row.rows for each in found if each.blake3 is not None)
        # Counted only after everything is stored.
        run.rows += sum(each.row.rows for each in found)
        run.added += added
        run.known += stored - added
        run.broken += sum(each.row.rows for each in found if each.row.embedding is None)
        failures = [each.failure for each in found if each.failure is not None]
        run.skipped += failures
        run.missing += sum(each.row.rows for each in found if _is_missing(each))
        run.files += len(files)
        run.without_file += without_file
        run.outside += outside
        run.captions += captions

    def _parts_to_add(self, found: Sequence[_Found], known: set[bytes]) -> set[bytes]:
        """Return those of the known contents that get parts: none are known, or the same without embeddings."""
        parts = {each.blake3: each.row.parts for each in found if each.blake3 in known and each.row.parts}
        without = parts.keys() - self._store.pictures.with_embedding(
            [digest for digest in parts if digest is not None], model_id=self._model_id, detail=True
        )
        ids = self._store.pictures.find_contents(digest for digest in without if digest is not None)
        stored = self._store.reader.parts.of_contents(list(ids.values()))
        return {
            digest
            for digest, content_id in ids.items()
            if content_id not in stored or parts[digest] == tuple(part for _, part in stored[content_id])
        }

    def _store_captions(self, rows: Sequence[SourceRow]) -> None:
        """Store captions of an export, with their embeddings."""
        texts = {text: row.embedding for row in rows if row.caption is not None and (text := _clean(row.caption))}
        self._run.captions += self._store.captions.add(texts)
        ids = self._store.captions.find_ids(list(texts))
        known = [(ids[text], embedding) for text, embedding in texts.items() if text in ids and embedding is not None]
        if known:
            self._store.captions.add_embeddings(
                [caption_id for caption_id, _ in known],
                np.stack([embedding for _, embedding in known]),
                model_id=self._model_id,
            )


def _is_missing(found: _Found) -> bool:
    return found.blake3 is None and found.row.embedding is not None and found.failure is None


def _clean(text: str) -> str | None:
    """Normalise a caption; None when nothing is left, or it is invalid."""
    cleaned = text.strip()
    return cleaned if cleaned and is_valid(cleaned) else None
