"""Cache text embeddings, so that repeated queries, labels and the bank load no model.

One SQLite file in the user's cache folder. Its rows are batches: one text of a query, or all texts of a set, which are
read and evicted together. Keys are hashes of model and texts: the words themselves are not stored. Errors are cache
misses: if the file is missing, damaged, locked or unwritable, the model encodes the texts.
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

# At the default page size a float32 row of 512 dimensions fills half a page and wastes the rest.
_PAGE_BYTES = 16_384

# Longer than a write takes, shorter than loading a model.
_BUSY_TIMEOUT_S = 0.1

# `number` is the running count of texts ever added, including those of the row.
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
    """Return the embedding (dim,) unit-norm of a text from the cache, or from the encoder, loaded on a miss only.

    A text too long for the model is not cached, so that the notice of its split is issued each time.

    Args:
        fingerprint: of the model, and anything after it that the embedding depends on, such as a precision.
    """
    cached = find_embeddings([text], fingerprint=fingerprint, dim=dim)
    if cached is not None:
        return cached[0]  # type: ignore[no-any-return]
    encoder = load_encoder()
    embeddings = encoder.encode_texts([text])
    if encoder.count_tokens(text) <= encoder.context_length:
        key = fingerprint if fingerprint.startswith(encoder.fingerprint) else encoder.fingerprint
        put_embeddings([text], embeddings, fingerprint=key)
    return embeddings[0]  # type: ignore[no-any-return]


def encode_set(
    texts: Sequence[str],
    *,
    fingerprint: str,
    dim: int,
    load_encoder: "Callable[[], Encoder]",
    encode: "Callable[[Sequence[str], Encoder], NDArray[np.float32]]",
) -> NDArray[np.float32]:
    """Return the embeddings (n, dim) unit-norm of texts always used together, from the cache or from `encode`.

    Args:
        fingerprint: of the model and anything else that the embeddings depend on.
    """
    embeddings = find_embeddings(texts, fingerprint=fingerprint, dim=dim)
    if embeddings is None:
        encoder = load_encoder()
        with muted():  # no notices of split texts, which the user did not write
            embeddings = encode(texts, encoder)
        put_embeddings(texts, embeddings, fingerprint=fingerprint)
    return embeddings


def find_embeddings(texts: Sequence[str], *, fingerprint: str, dim: int) -> NDArray[np.float32] | None:
    """Return the embeddings (n, dim) cached for exactly these texts, bit for bit; None on a miss or damage."""
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
    # If the statements themselves fail, the table is not the one of `_CREATE`.
    with _errors_as_miss(path, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT):
        make_cache_dir()
        path.touch(mode=0o600)
        with closing(_open(path, "rw")) as connection:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # ignored once the file has pages
            connection.execute("PRAGMA synchronous = OFF")  # damage by a power cut is a cache miss
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
    # Damaged rows may contain numbers whose squares overflow: those are not unit-norm either.
    with np.errstate(all="ignore"):
        is_unit = bool(np.all(np.abs(np.einsum("ij,ij->i", rows, rows) - 1) < 1e-3))
    return rows if is_unit else None


def _open(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?mode={mode}", uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None
    )


@contextlib.contextmanager
def _errors_as_miss(path: Path, *also_damage: int) -> Iterator[None]:
    """Suppress errors of the cache file in the block, and delete a damaged file.

    Args:
        also_damage: further SQLite error codes that mean damage here.
    """
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # An error without a code is raised by Python's sqlite3 module on SQLite's undecodable message about a damaged
        # table. Other codes (locked, read-only, can't be opened) are transient or concern the folder.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, *also_damage):
            with contextlib.suppress(OSError):
                path.unlink()
    except (OSError, OverflowError):  # OverflowError: more bytes than SQLite supports
        pass
