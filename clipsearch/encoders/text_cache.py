"""Cache of text embeddings: a query asked before, labels and the bank load no model.

One SQLite file in the user's cache folder. Its rows are batches: one text of a query, or all texts of a set, which are
read and evicted together. Keys are hashes of model and texts: the words themselves stay out of it. Errors are treated
as a miss: where the file is missing, damaged, locked or unwritable, the model encodes the texts.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from clipsearch.files import make_cache_dir
from clipsearch.notices import muted
from clipsearch.paths import cache_dir

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder

FILE_NAME = "texts.sqlite3"

# Texts cached before the oldest batch is evicted: at 512 dimensions about 40 MB.
MAX_TEXTS = 20_000

# A float32 row of 512 dimensions fills half a page of the default size, and leaves the rest empty.
_PAGE_BYTES = 16_384

# Longer than a write takes, shorter than loading a model.
_BUSY_TIMEOUT_S = 0.1

# `number` counts the texts that were ever added, up to and including those of the row.
_CREATE = (
    "CREATE TABLE IF NOT EXISTS texts (number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, embeddings BLOB NOT NULL)"
)
_INSERT = (
    "INSERT OR REPLACE INTO texts (number, key, embeddings) "
    "VALUES ((SELECT coalesce(max(number), 0) FROM texts) + ?, ?, ?)"
)
_FIND = "SELECT number FROM texts WHERE key = ?"
_EVICT = "DELETE FROM texts WHERE number <= (SELECT max(number) FROM texts) - ?"


def encode_query(
    text: str, *, fingerprint: str, dim: int, load_encoder: "Callable[[], Encoder]"
) -> NDArray[np.float32]:
    """Return a text's embedding (dim,), unit-norm: the cached one, else from the encoder, which is loaded only then.

    A text too long for the model is not cached, so that the notice that it was split is given each time.
    """
    cached = find_embeddings([text], fingerprint=fingerprint, dim=dim)
    if cached is not None:
        return cached[0]  # type: ignore[no-any-return]
    encoder = load_encoder()
    embeddings = encoder.encode_texts([text])
    if encoder.count_tokens(text) <= encoder.context_length:
        put_embeddings([text], embeddings, fingerprint=encoder.fingerprint)
    return embeddings[0]  # type: ignore[no-any-return]


def encode_set(
    texts: Sequence[str],
    *,
    fingerprint: str,
    dim: int,
    load_encoder: "Callable[[], Encoder]",
    encode: "Callable[[Sequence[str], Encoder], NDArray[np.float32]]",
) -> NDArray[np.float32]:
    """Return embeddings (n, dim), unit-norm, of texts always used together: the cached ones, else from `encode`.

    Args:
        fingerprint: of the model, and of all else that the rows depend on.
    """
    embeddings = find_embeddings(texts, fingerprint=fingerprint, dim=dim)
    if embeddings is None:
        encoder = load_encoder()
        with muted():  # that long texts are split: the user has not written them
            embeddings = encode(texts, encoder)
        put_embeddings(texts, embeddings, fingerprint=fingerprint)
    return embeddings


def find_embeddings(texts: Sequence[str], *, fingerprint: str, dim: int) -> NDArray[np.float32] | None:
    """Find the embeddings (n, dim) cached for these very texts, bit for bit; None on a miss, or when damaged."""
    path = cache_dir() / FILE_NAME
    with _errors_as_miss(path), closing(_open(path, "ro")) as connection:
        found = connection.execute(_FIND, (_key(texts, fingerprint),)).fetchone()
        if found is None:
            return None
        # Not selected: a blob is copied once less, which for a large set takes a fifth less time.
        with connection.blobopen("texts", "embeddings", found[0], readonly=True) as blob:
            return _read(blob.read(), (len(texts), dim))
    return None


def put_embeddings(texts: Sequence[str], embeddings: NDArray[np.float32], *, fingerprint: str) -> None:
    """Cache the unit-norm embeddings (n, dim) of texts as one batch, and evict the oldest batches beyond the limit."""
    path = cache_dir() / FILE_NAME
    # Where the statements themselves fail, the table is not the one of `_CREATE`.
    with _errors_as_miss(path, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT):
        make_cache_dir()
        path.touch(mode=0o600)
        with closing(_open(path, "rw")) as connection:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # ignored when the file has pages already
            connection.execute("PRAGMA synchronous = OFF")  # what a power cut damages is encoded again
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_CREATE)
            stored = embeddings.astype("<f4").tobytes()
            connection.execute(_INSERT, (len(texts), _key(texts, fingerprint), stored))
            connection.execute(_EVICT, (MAX_TEXTS,))
            connection.execute("COMMIT")


def _key(texts: Sequence[str], fingerprint: str) -> bytes:
    # JSON tells ["a b"] from ["a", "b"], and escapes lone surrogates.
    return blake3(json.dumps([fingerprint, *texts]).encode("ascii")).digest()


def _read(stored: bytes, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    if len(stored) != 4 * shape[0] * shape[1]:
        return None
    rows = np.frombuffer(stored, dtype="<f4").reshape(shape).astype(np.float32)
    # Damaged rows can hold numbers whose squares are infinite: they are not unit-norm either.
    with np.errstate(all="ignore"):
        is_unit = bool(np.all(np.abs(np.einsum("ij,ij->i", rows, rows) - 1) < 1e-3))
    return rows if is_unit else None


def _open(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?mode={mode}", uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None
    )


@contextlib.contextmanager
def _errors_as_miss(path: Path, *also_damage: int) -> Iterator[None]:
    """Leave the block on any error of the file, and delete a damaged one.

    Args:
        also_damage: SQLite's codes that mean damage here.
    """
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # Without a code it is Python's own module that can't decode SQLite's message on a damaged table. Other codes
        # (locked, read-only, can't be opened) are about the moment or the place.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, *also_damage):
            with contextlib.suppress(OSError):
                path.unlink()
    except (OSError, OverflowError):  # OverflowError: more bytes than SQLite takes
        pass
