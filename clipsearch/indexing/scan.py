"""Detect what changed in the folders since the last run, in chunks as they are listed."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from time import perf_counter

from clipsearch.errors import InputError, MissingExtraError
from clipsearch.formats import UNSUPPORTED_SUFFIXES
from clipsearch.images.decode import DecodingLimits
from clipsearch.images.find import UNKNOWN_SIZE, FoundImage, FoundSidecar, ImageWalk, UnseenPath
from clipsearch.images.remote.walk import UrlWalk
from clipsearch.indexing.options import IndexOptions
from clipsearch.paths import is_folder_url
from clipsearch.store import GONE_BEFORE, SEEN, KnownFile, Scope, Store
from clipsearch.store.known_files import encoded_paths
from clipsearch.types import SkippedFile

# Prefixes of reasons that are a limit of the run, and the reason of an earlier version for a truncated file.
_LIMIT_PREFIXES = ("too large:", "it took longer than")
_OLD_TRUNCATED_REASON = "truncated"

# Files are compared with SQL when this many are listed or this much time has passed, whichever is sooner.
_COMPARED_AT_ONCE = 1_000
_COMPARED_AFTER_S = 0.2


@dataclass(slots=True)
class Changes:
    """Changes of a folder since the last chunk.

    Attributes:
        found: number of picture files and unreadable paths.
        to_read: files that are new, or may have changed, or have no embedding of the model yet.
        contents: relative path → blake3 of those files in `to_read` that look unchanged but for their ctime.
        change_times: (file_id, ctime, inode) of unchanged files whose ctime or inode was not stored yet.
        returned: ids of deleted files that have come back unchanged.
        unchanged: number of unchanged files.
        skipped: files known to be unreadable, and unreadable paths.
        unsupported: lower-case suffix → number of pictures in formats that can't be read; in the last chunk.
        deleted: id → relative path of known files that are missing; in the last chunk, when the whole folder was
            listed.
        known: number of files of the last run; in the last chunk, when the whole folder was listed.
        sidecars: of the pictures; in the last chunk.
        unseen: folders and files that could not be read; in the last chunk.
        is_last: this is the last chunk: the whole folder was listed.
        is_empty: no picture was found in the whole folder.
        is_missing: the folder itself is missing.
    """

    scope: Scope
    found: int = 0
    to_read: list[FoundImage] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    change_times: list[tuple[int, int | None, int | None]] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)
    unchanged: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)
    unsupported: Mapping[str, int] = field(default_factory=dict)
    deleted: dict[int, str] = field(default_factory=dict)
    known: int = 0
    sidecars: Sequence[FoundSidecar] = ()
    unseen: Sequence[UnseenPath] = ()
    is_last: bool = False
    is_empty: bool = False
    is_missing: bool = False

    @property
    def folder(self) -> str:
        return full_path(self.scope, self.scope.subfolder)


def find_changes(
    scopes: Sequence[Scope], *, store: Store, model_id: int, options: IndexOptions | None = None
) -> Iterator[Changes]:
    """List the folders, compare them with the store, and yield the changes.

    Some chunks are empty: there is at least one for every folder below, so that the consumer can stop soon.
    """
    # Contents without an embedding of the model. All their files are reread: the first may not be readable now.
    missing = store.pictures.contents_without_embedding(model_id=model_id, with_removed=True)
    if options is not None and options.detail:
        missing |= store.pictures.contents_without_parts(model_id=model_id)
    for scope in scopes:
        yield from _changes_in(scope, store=store, missing=missing, options=options or IndexOptions())


def full_path(scope: Scope, relative_path: str) -> str:
    separator = "/" if is_folder_url(scope.root) else os.sep
    return f"{scope.root.rstrip(separator)}{separator}{relative_path}" if relative_path else scope.root


def _changes_in(scope: Scope, *, store: Store, missing: set[int], options: IndexOptions) -> Iterator[Changes]:
    # A mark for every known file that is seen; files added by this run or another process have higher ids.
    seen = bytearray(store.pictures.last_file_id() + 1)
    try:
        walk = _walk(scope)
    except (InputError, MissingExtraError) as error:
        yield Changes(scope, found=1, skipped=[SkippedFile(full_path(scope, scope.subfolder), str(error))])
        return
    if walk is None:
        deleted = store.pictures.files_besides(scope, seen)
        yield Changes(scope, deleted=deleted, is_last=True, is_empty=True, is_missing=True)
        return
    found = 0
    listed: list[FoundImage] = []
    last_time = perf_counter()
    for images in walk:
        listed += images
        if len(listed) < _COMPARED_AT_ONCE and perf_counter() - last_time < _COMPARED_AFTER_S:
            yield Changes(scope)
            continue
        yield _compare(listed, scope, store=store, missing=missing, seen=seen, options=options)
        found += len(listed)
        listed, last_time = [], perf_counter()
    last = _compare(listed, scope, store=store, missing=missing, seen=seen, options=options)
    last.is_empty = found + len(listed) == 0
    last.unsupported = walk.unsupported
    last.unseen = walk.unseen
    last.sidecars = walk.sidecars
    last.found += len(walk.unseen)
    last.skipped += [SkippedFile(full_path(scope, unseen.relative_path), unseen.reason) for unseen in walk.unseen]
    besides = store.pictures.files_besides(scope, seen)
    last.deleted = {
        file_id: path
        for file_id, path in besides.items()
        if not (is_unseen(path, walk.unseen) or _is_passed_over(scope, path))
    }
    last.known = seen.count(SEEN) + len(besides)
    last.is_last = True
    yield last


def _walk(scope: Scope) -> ImageWalk | UrlWalk | None:
    """Open the walk of a folder, or return None when the folder is missing.

    Raises:
        InputError: it can't be listed.
        MissingExtraError: the package that lists it is not installed.
    """
    if is_folder_url(scope.root):
        try:
            return UrlWalk(scope.root, subfolder=scope.subfolder, exclude=scope.exclude)
        except FileNotFoundError:
            return None
    try:
        return ImageWalk(scope.root, subfolder=scope.subfolder, exclude=scope.exclude)
    except InputError:
        if os.path.isdir(full_path(scope, scope.subfolder)):  # noqa: PTH112
            raise
        return None


def _compare(
    images: Sequence[FoundImage],
    scope: Scope,
    *,
    store: Store,
    missing: set[int],
    seen: bytearray,
    options: IndexOptions,
) -> Changes:
    changes = Changes(scope, found=len(images))
    # First of all, as nearly every file of nearly every run is unchanged.
    left = images if options.again else _mark_unchanged(images, scope, store=store, missing=missing, seen=seen)
    changes.unchanged = len(images) - len(left)
    known = store.pictures.known_files(scope, [image.relative_path for image in left]) if left else {}
    others: list[tuple[FoundImage, KnownFile]] = []
    for image in left:
        old = known.get(image.relative_path)
        if old is not None and old.file_id < len(seen):
            seen[old.file_id] = GONE_BEFORE if old.is_removed else SEEN
        if options.unfinished and full_path(scope, image.relative_path) in options.unfinished:
            continue
        if old is None:
            changes.to_read.append(image)
        else:
            others.append((image, old))
    _compare_closely(others, changes, store=store, missing=missing, options=options)
    return changes


def _mark_unchanged(
    images: Sequence[FoundImage], scope: Scope, *, store: Store, missing: set[int], seen: bytearray
) -> Collection[FoundImage]:
    """Mark the files that are as in the last run and have an embedding, and return the others."""
    paths = encoded_paths([image.relative_path for image in images])
    left = dict(zip(paths, images, strict=True))
    end = len(seen)
    for rows in store.pictures.stamped_files(scope, paths):
        for row in rows:
            path = row[0]
            image = left.get(path)
            if image is not None and row[1:5] == image[1:] and row[6] not in missing:
                del left[path]
                if row[5] < end:
                    seen[row[5]] = SEEN
    return left.values()


def _compare_closely(
    files: Sequence[tuple[FoundImage, KnownFile]],
    changes: Changes,
    *,
    store: Store,
    missing: set[int],
    options: IndexOptions,
) -> None:
    """Add files to the changes that are known, and not just as they were."""
    rechecked: dict[str, int] = {}
    for image, old in files:
        is_changed = old.mtime_ns != image.mtime_ns or image.size_bytes not in (UNKNOWN_SIZE, old.size_bytes)
        if is_changed or old.content_id in missing:
            changes.to_read.append(image)
            continue
        # Programs can set the size and mtime of a file, but not its ctime. The inode alone is no evidence: some file
        # systems assign other ones on every mount.
        has_new_ctime = image.ctime_ns != old.ctime_ns and image.ctime_ns is not None and old.ctime_ns is not None
        if has_new_ctime or options.again:
            changes.to_read.append(image)
            if old.content_id is not None and not old.is_removed:
                rechecked[image.relative_path] = old.content_id
            continue
        if image.ctime_ns is not None and (image.ctime_ns != old.ctime_ns or image.inode != old.inode):
            changes.change_times.append((old.file_id, image.ctime_ns, image.inode))
        if old.is_removed and old.content_id is not None:
            changes.returned.append(old.file_id)
        elif old.content_id is not None:
            changes.unchanged += 1
        elif old.is_removed or _should_retry(old, options):
            changes.to_read.append(image)
        else:
            path, reason = full_path(changes.scope, image.relative_path), old.skip_reason or "unreadable"
            changes.skipped.append(SkippedFile(path, reason, old.limit_kind))
    if rechecked:
        digests = store.pictures.find_digests(set(rechecked.values()))
        changes.contents = {path: digests[number] for path, number in rechecked.items() if number in digests}


def _should_retry(old: KnownFile, options: IndexOptions) -> bool:
    """Return whether to retry a file that could not be read the last time, such as after raising a limit."""
    if options.retry or options.again:
        return True
    if old.limit_kind is None:
        # An earlier version stored limits only in the reason, and decoded no truncated pictures.
        reason = old.skip_reason or ""
        return reason.startswith(_LIMIT_PREFIXES) or reason == _OLD_TRUNCATED_REASON
    limits = options.limits or DecodingLimits()
    if options.limits is None and old.limit_kind != "megapixels":  # the other limits do not apply
        return True
    return limits.exceed((old.limit_kind, old.limit_value or 0))


def _is_passed_over(scope: Scope, path: str) -> bool:
    """Return whether a file of the catalog is not missing: only the extra that reads it is not installed any more."""
    if PurePosixPath(path).suffix.lower() not in UNSUPPORTED_SUFFIXES:
        return False
    return is_folder_url(scope.root) or os.path.lexists(full_path(scope, path))


def is_unseen(path: str, unseen: Sequence[UnseenPath]) -> bool:
    """Return whether nothing is known of a path, as it or a folder above it could not be read."""
    return any(
        not place.relative_path or path == place.relative_path or path.startswith(place.relative_path + "/")
        for place in unseen
    )
