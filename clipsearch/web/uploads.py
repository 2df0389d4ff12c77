"""Embed uploaded query pictures, and cache only their embeddings, in memory."""

import contextlib
import os
import re
import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path, PurePath
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from clipsearch.catalog import Catalog
from clipsearch.errors import ImageReadError, QueryError
from clipsearch.formats import IMAGE_SUFFIXES
from clipsearch.query import Query

# Embeddings in the LRU cache; 2 MB at 512 dimensions.
_MAX_UPLOADS = 1_000

_NAME = re.compile("upload-[0-9a-f]{16}")

_FOLDER_PREFIX, _LOCK_NAME = "clipsearch-uploads-", "lock"


def remove_leftovers() -> None:
    """Remove temporary files of servers that were killed while they decoded an upload."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*"):
        lock = FileLock(folder / _LOCK_NAME)
        with contextlib.suppress(OSError, Timeout):
            if not folder.is_symlink() and _is_owned(folder) and (folder / _LOCK_NAME).is_file():
                with lock.acquire(timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)


class Uploads:
    """LRU cache of the embeddings of uploaded pictures; thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._embeddings: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._folder: str | None = None
        self._folder_lock: FileLock | None = None

    def embed(self, file: BinaryIO, name: str | None = None) -> NDArray[np.float32]:
        """Embed an uploaded picture, film or document, (dim,) unit-norm; its temporary file is deleted afterwards.

        Args:
            name: untrusted, of which the suffix tells the kind of some files.

        Raises:
            ImageReadError: it can't be decoded.
        """
        path: str | None = None
        try:
            descriptor, path = tempfile.mkstemp(_known_suffix(name), prefix="picture-", dir=self._own_folder())
            with os.fdopen(descriptor, "wb") as copy:
                while chunk := file.read(1 << 20):
                    copy.write(chunk)
            return self._catalog.pictures.embed(path)
        except ImageReadError as error:
            raise ImageReadError(str(error).replace(str(path), "that was uploaded")) from error
        finally:
            if path is not None:
                os.unlink(path)  # noqa: PTH108

    def _own_folder(self) -> str:
        """Return the folder of files being decoded; its lock protects it from `remove_leftovers` of other servers."""
        with self._lock:
            if self._folder is None or not os.path.isdir(self._folder):  # noqa: PTH112 (cleaners of temporary files may delete it)
                folder = tempfile.mkdtemp(prefix=_FOLDER_PREFIX)
                self._folder_lock = FileLock(Path(folder, _LOCK_NAME), thread_local=False)
                self._folder_lock.acquire(timeout=0)
                self._folder = folder
            return self._folder

    def close(self) -> None:
        """Delete the temporary folder; to be called after the last request."""
        with self._lock:
            if self._folder is not None and self._folder_lock is not None:
                self._folder_lock.release()
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = self._folder_lock = None

    def add(self, embedding: NDArray[np.float32]) -> str:
        """Cache an embedding, evicting the oldest, and return its NAME for the query term `image:NAME`."""
        name = f"upload-{secrets.token_hex(8)}"
        with self._lock:
            self._embeddings[name] = embedding
            while len(self._embeddings) > _MAX_UPLOADS:
                self._embeddings.popitem(last=False)
        return name

    def for_query(self, query: Query) -> dict[str, NDArray[np.float32]]:
        """Return the embeddings of the picture terms of a query.

        Raises:
            QueryError: a term names an evicted upload, or a file or URL: those are for the command line only,
                whose user has access to them anyway.
        """
        found: dict[str, NDArray[np.float32]] = {}
        for term in (term for group in query.groups for term in group if term.kind == "picture"):
            if not _NAME.fullmatch(term.value):
                raise QueryError(
                    f"{term.value[:80]} is a file name or a URL: upload the picture itself, "
                    "or put words that look like one in quotes"
                )
            with self._lock:
                if term.value not in self._embeddings:
                    raise QueryError("the uploaded picture has expired: upload it again")
                self._embeddings.move_to_end(term.value)
                found[term.value] = self._embeddings[term.value]
        return found


def _known_suffix(name: str | None) -> str:
    suffix = PurePath(name or "").suffix.lower()
    return suffix if suffix in IMAGE_SUFFIXES else ""


def _is_owned(folder: Path) -> bool:
    """Return whether the current user owns a folder; the temporary folder may be shared with other users."""
    return not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
