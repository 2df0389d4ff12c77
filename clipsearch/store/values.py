"""Validate values of an untrusted database before they become part of a name, a path or a size."""

import os
import re
import uuid
from collections.abc import Iterable

from clipsearch.paths import is_folder_url

MAX_DIM = 1 << 16
"""Highest dimension of an embedding; the largest models have some thousand."""

MAX_ROW = 1 << 31
"""Highest row id: an index run has a byte in memory for each file id."""

MAX_EMBEDDING_ROW = 1 << 53
"""Highest embedding id: they index no memory, and a picture has one for each model."""

_DIGEST = re.compile("[0-9a-f]{64}")
_SEPARATORS = (b"/",) if os.sep == "/" else (b"/", b"\\")


def is_digest(value: object) -> bool:
    """Return whether a value is a blake3 as 64 hex digits."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def is_uuid(value: object) -> bool:
    """Return whether a value is a UUID in its canonical form."""
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False


def is_number(value: object, lowest: int, highest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest


def highest_row(table: str) -> int:
    """Return the highest row id that a table may have."""
    return MAX_EMBEDDING_ROW if table.endswith("_embeddings") else MAX_ROW


def is_below(relative_path: object) -> bool:
    """Return whether a stored relative path leads to something inside the folder above it.

    Args:
        relative_path: bytes, parts joined by "/".
    """
    if not isinstance(relative_path, bytes) or relative_path[:1] in (b"", *_SEPARATORS) or b"\0" in relative_path:
        return False
    if os.sep != "/":
        relative_path = relative_path.replace(b"\\", b"/")
        if b":" in relative_path:
            return False
    # Fast path: most have no two dots at all.
    return b".." not in relative_path or b".." not in relative_path.split(b"/")


def is_folder(root: object) -> bool:
    """Return whether a stored path can be an indexed folder: absolute, or a URL."""
    if not isinstance(root, bytes) or b"\0" in root:
        return False
    name = os.fsdecode(root)
    return os.path.isabs(name) or is_folder_url(name)  # noqa: PTH117


def path_of(root: object, relative_path: object) -> str | None:
    """Return the path of a file from two stored values; None when it is invalid or outside of the folder."""
    if not isinstance(root, bytes) or not is_below(relative_path) or not is_folder(root):
        return None
    return os.path.join(os.fsdecode(root), os.fsdecode(relative_path))  # type: ignore[arg-type]  # noqa: PTH118


def valid_ids(numbers: Iterable[int]) -> list[int]:
    """Return the numbers that can be row ids, 64 bits from 1, as Python's: SQLite takes those of numpy for blobs."""
    return [number for value in numbers if 0 < (number := int(value)) < 1 << 63]
