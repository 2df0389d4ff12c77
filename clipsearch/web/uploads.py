"""Pictures that a browser has sent to search by: of each its embedding is kept for a while, and no more."""

import contextlib
import os
import re
import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from clipsearch.catalog import Catalog
from clipsearch.errors import ImageReadError, QueryError
from clipsearch.query import Query

# The oldest are forgotten. At 512 dimensions 2 MB.
_MOST = 1_000

_NAME = re.compile("upload-[0-9a-f]{16}")

_FOLDER_PREFIX, _LOCK_NAME = "clipsearch-uploads-", "lock"


def remove_leftovers() -> None:
    """Removes files of servers that were killed while they looked at what was sent."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*"):
        lock = FileLock(folder / _LOCK_NAME)
        with contextlib.suppress(OSError, Timeout):
            if not folder.is_symlink() and _is_own(folder) and (folder / _LOCK_NAME).is_file():
                with lock.acquire(timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)


class Uploads:
    """For any number of threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._folder: str | None = None
        self._folder_lock: FileLock | None = None

    def embed(self, file: BinaryIO) -> NDArray[np.float32]:
        """The embedding (dim,) of a picture that was sent. The file is gone when it is known.

        Raises:
            ImageReadError: it can't be decoded.
        """
        path: str | None = None
        try:
            descriptor, path = tempfile.mkstemp(prefix="picture-", dir=self._own_folder())
            with os.fdopen(descriptor, "wb") as copy:
                while chunk := file.read(1 << 20):
                    copy.write(chunk)
            return self._catalog.pictures.embed(path)
        except ImageReadError as error:
            raise ImageReadError(str(error).replace(str(path), "that was sent")) from error
        finally:
            if path is not None:
                os.unlink(path)  # noqa: PTH108

    def _own_folder(self) -> str:
        """For files that are being decoded. Its lock says that it is in use: `remove_leftovers` takes the others."""
        with self._lock:
            if self._folder is None or not os.path.isdir(self._folder):  # noqa: PTH112 (old ones may be tidied away)
                folder = tempfile.mkdtemp(prefix=_FOLDER_PREFIX)
                self._folder_lock = FileLock(Path(folder, _LOCK_NAME), thread_local=False)
                self._folder_lock.acquire(timeout=0)
                self._folder = folder
            return self._folder

    def close(self) -> None:
        """When no request is being answered any more."""
        with self._lock:
            if self._folder is not None and self._folder_lock is not None:
                self._folder_lock.release()
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = self._folder_lock = None

    def keep(self, embedding: NDArray[np.float32]) -> str:
        """What queries call it: `image:NAME`."""
        name = f"upload-{secrets.token_hex(8)}"
        with self._lock:
            self._kept[name] = embedding
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return name

    def for_query(self, query: Query) -> dict[str, NDArray[np.float32]]:
        """What the pictures of a query look like.

        Raises:
            QueryError: it names one that was not sent, such as a file or a URL: those are for the command line, where
                whoever asks may read them anyway.
        """
        found: dict[str, NDArray[np.float32]] = {}
        for term in (term for group in query.groups for term in group if term.kind == "picture"):
            if not _NAME.fullmatch(term.value):
                raise QueryError(
                    f"{term.value[:80]} is the name of a file or a URL: send the picture itself, "
                    "or put words that look like one in quotes"
                )
            with self._lock:
                if term.value not in self._kept:
                    raise QueryError("the picture that was sent is not here any more: send it again")
                self._kept.move_to_end(term.value)
                found[term.value] = self._kept[term.value]
        return found


def _is_own(folder: Path) -> bool:
    """Made by the same user; the folder for temporary files may be everybody's."""
    return not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
