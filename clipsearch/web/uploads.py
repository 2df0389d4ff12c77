"""Pictures that a browser has sent to search by: of each its embedding is kept for a while, and no more."""

import os
import re
import secrets
import tempfile
import threading
from collections import OrderedDict
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from clipsearch.catalog import Catalog
from clipsearch.errors import ImageReadError, QueryError
from clipsearch.grammar import Query

# The oldest are forgotten. At 512 dimensions 2 MB.
_MOST = 1_000

_NAME = re.compile("upload-[0-9a-f]{16}")

# At most so many are decoded at once: each may need a process and a gigabyte.
_AT_ONCE = 2


class Uploads:
    """For any number of threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._decoding = threading.BoundedSemaphore(_AT_ONCE)

    def embed(self, file: BinaryIO) -> NDArray[np.float32]:
        """The embedding (dim,) of a picture that was sent. The file is gone when it is known.

        Raises:
            ImageReadError: it can't be decoded.
        """
        with self._decoding, tempfile.TemporaryDirectory(prefix="clipsearch-") as folder:
            path = os.path.join(folder, "picture")  # noqa: PTH118 (its name is nobody's business)
            with open(path, "xb") as copy:  # noqa: PTH123
                while chunk := file.read(1 << 20):
                    copy.write(chunk)
            try:
                return self._catalog.embed_file(path)
            except ImageReadError as error:
                raise ImageReadError(str(error).replace(path, "that was sent")) from error

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
