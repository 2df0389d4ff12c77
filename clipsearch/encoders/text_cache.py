"""Embeddings of texts that were asked for before: such a query loads no model.

They lie in one SQLite file in the user's cache folder, under hashes of model and text: the words stay out of it. The
file is a convenience: missing, damaged, locked or unwritable, the model is asked.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from clipsearch.files import make_cache_dir
from clipsearch.paths import cache_dir

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder

FILE_NAME = "texts.sqlite3"

# At 512 dimensions about 25 MB.
MAX_TEXTS = 10_000

# Longer than a write takes, shorter than loading a model.
_BUSY_TIMEOUT_S = 0.1

_CREATE = (
    "CREATE TABLE IF NOT EXISTS texts "
    "(number INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, embedding BLOB NOT NULL)"
)
_INSERT = "INSERT OR REPLACE INTO texts (key, embedding) VALUES (?, ?)"
_FIND = "SELECT embedding FROM texts WHERE key = ?"
_FORGET_OLDEST = "DELETE FROM texts WHERE number <= (SELECT max(number) FROM texts) - ?"


def encode_text(text: str, *, fingerprint: str, dim: int, load_encoder: Callable[[], "Encoder"]) -> NDArray[np.float32]:
    """A text's embedding (dim,), unit-norm: the one kept, else from the encoder, which is loaded only then.

    A text too long for the model is not kept, so that the notice that it was split is given each time.
    """
    kept = find_text(text, fingerprint=fingerprint, dim=dim)
    if kept is not None:
        return kept
    encoder = load_encoder()
    embedding: NDArray[np.float32] = encoder.encode_texts([text])[0]
    if encoder.count_tokens(text) <= encoder.context_length:
        keep_text(text, embedding, fingerprint=encoder.fingerprint)
    return embedding


def find_text(text: str, *, fingerprint: str, dim: int) -> NDArray[np.float32] | None:
    """The embedding (dim,) kept for a text, bit for bit; None where there is none or it is damaged."""
    path = cache_dir() / FILE_NAME
    with _trouble_ignored(path), closing(_open(path, "ro")) as connection:
        found = connection.execute(_FIND, (_key(text, fingerprint),)).fetchone()
        return None if found is None else _read(found[0], dim)
    return None


def keep_text(text: str, embedding: NDArray[np.float32], *, fingerprint: str) -> None:
    """Keeps a text's unit-norm embedding (dim,); the oldest of too many is forgotten."""
    path = cache_dir() / FILE_NAME
    # Where the statements themselves fail, the table is another one than `_CREATE` makes.
    with _trouble_ignored(path, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT):
        make_cache_dir()
        path.touch(mode=0o600)
        with closing(_open(path, "rw")) as connection:
            # Not to be waited for: what a power cut takes is computed again.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_CREATE)
            connection.execute(_INSERT, (_key(text, fingerprint), embedding.astype("<f4").tobytes()))
            connection.execute(_FORGET_OLDEST, (MAX_TEXTS,))
            connection.execute("COMMIT")


def _key(text: str, fingerprint: str) -> bytes:
    return blake3(fingerprint.encode() + b"\0" + text.encode("utf-8", "surrogatepass")).digest()


def _read(stored: object, dim: int) -> NDArray[np.float32] | None:
    if not isinstance(stored, bytes) or len(stored) != 4 * dim:
        return None
    row = np.frombuffer(stored, dtype="<f4").astype(np.float32)
    # A damaged row can hold numbers whose squares are infinite: it is not unit-norm either.
    with np.errstate(all="ignore"):
        is_unit = abs(float(row @ row) - 1.0) < 1e-4
    return row if is_unit else None


def _open(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?mode={mode}", uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None
    )


@contextlib.contextmanager
def _trouble_ignored(path: Path, *also_damage: int) -> Iterator[None]:
    """Leaves the block on any trouble with the file; one that is damaged is deleted.

    Args:
        also_damage: SQLite's codes that mean so here.
    """
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # Without a code it is Python's own module that can't take what it read, be it a row or SQLite's message on a
        # damaged table. Other codes (locked, read-only, can't be opened) are about the moment or the place.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, *also_damage):
            with contextlib.suppress(OSError):
                path.unlink()
    except OSError:
        pass
