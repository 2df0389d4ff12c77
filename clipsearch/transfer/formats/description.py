"""What an export says about itself, beside or in its files."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from clipsearch.errors import InputError, MissingExtraError

DESCRIPTION_NAME = "clipsearch.json"

MAX_DESCRIPTION_BYTES = 10_000_000
"""Of a whole file; the folders take most of it."""

DESCRIPTION_KEY = b"clipsearch"
"""Of a single Parquet file's own metadata."""

_FORMAT, _VERSION = "clipsearch embeddings", 1


@dataclass(frozen=True, slots=True)
class Description:
    """
    Attributes:
        model: its name; what it is called elsewhere may be another.
        fingerprint: of the model, see `encoders.base.Encoder`.
        folders: those that were indexed where it was made: absolute as that system has it, or URLs.
        pictures: rows, like `captions`.
        exported_at: UTC, ISO 8601.
        seal: see `seal`; "" where there is none.
    """

    model: str
    fingerprint: str
    dim: int
    pictures: int
    captions: int
    parts: int
    folders: tuple[str, ...]
    exported_at: str
    seal: str = ""

    def to_json(self) -> bytes:
        """ASCII: names of folders that are no text stay valid JSON, as lone surrogates."""
        return json.dumps({"format": _FORMAT, "version": _VERSION} | asdict(self), indent=2).encode("ascii")


def parse_description(content: bytes, *, where: str) -> Description:
    """
    Raises:
        InputError: it is none, or was written by a newer clipsearch.
    """
    try:
        found: dict[str, Any] = json.loads(content)
        version = found.pop("version")
        if found.pop("format") != _FORMAT:
            raise ValueError
        if version != _VERSION:
            raise InputError(f"{where} was written by another clipsearch (version {version} of the format): upgrade")
        description = Description(**found | {"folders": tuple(found["folders"])})
        texts = (*description.folders, description.model, description.fingerprint, description.exported_at)
        texts += (description.seal,)
        numbers = (description.dim, description.pictures, description.captions, description.parts)
        if not all(isinstance(text, str) and "\0" not in text for text in texts):
            raise ValueError
        if not all(isinstance(each, int) and 0 <= each < 1 << 62 for each in numbers):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"{where} is damaged: it describes no export of clipsearch") from error
    return description


def require_pyarrow() -> None:
    """
    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "export and import need pyarrow, which is not installed: pip install 'pyarrow>=18'"
        ) from error
