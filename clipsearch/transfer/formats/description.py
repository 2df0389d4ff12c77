"""Describe an export in a JSON file next to it, or in its own metadata."""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from clipsearch.errors import InputError, MissingExtraError
from clipsearch.query import concept_name
from clipsearch.store.exports import ExportedAlbum, ExportedConcept, ExportedSearch
from clipsearch.text import is_valid as is_valid_text

DESCRIPTION_NAME = "clipsearch.json"

MAX_DESCRIPTION_BYTES = 64_000_000
"""Limit of the file; the pictures of albums take most of it, 67 bytes each."""

DESCRIPTION_KEY = b"clipsearch"
"""Key in the metadata of a single Parquet file."""

_DIGEST = re.compile("[0-9a-f]{64}")

# Characters of the words of a concept.
_MAX_WORDS = 100_000

# Fields that the first version of the format does not have.
_LATER = ("concepts", "albums", "saved_searches")

_FORMAT, _VERSION = "clipsearch embeddings", 1


@dataclass(frozen=True, slots=True)
class Description:
    """Description of an export.

    Attributes:
        model: its name at export, which may differ elsewhere.
        fingerprint: of the model, see `encoders.base.Encoder`.
        folders: indexed folders at export: absolute on that system, or URLs.
        pictures: rows, like `captions`; a picture of several parts has one for each.
        exported_at: UTC, ISO 8601.
        seal: see `seal`; "" without one.
        concepts, albums: with the blake3 of their examples or pictures, which need not be among the pictures.
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
    concepts: tuple[ExportedConcept, ...] = ()
    albums: tuple[ExportedAlbum, ...] = ()
    saved_searches: tuple[ExportedSearch, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Return the fields by name, without those of later versions that are empty: older ones don't know them."""
        return {name: value for name, value in asdict(self).items() if value or name not in _LATER}

    def to_json(self) -> bytes:
        """Return JSON in ASCII: folder names that are not text stay valid, as lone surrogates."""
        return json.dumps({"format": _FORMAT, "version": _VERSION} | self.fields(), indent=2).encode("ascii")


def parse_description(content: bytes, *, where: str) -> Description:
    """Parse an untrusted description.

    Raises:
        InputError: it is invalid, or was written by a newer clipsearch.
    """
    try:
        found: dict[str, Any] = json.loads(content)
        version = found.pop("version")
        if found.pop("format") != _FORMAT:
            raise ValueError
        if version != _VERSION:
            raise InputError(f"{where} was written by another clipsearch (version {version} of the format): upgrade")
        concepts = tuple(_concept(**fields) for fields in found.pop("concepts", ()))
        albums = tuple(_album(**fields) for fields in found.pop("albums", ()))
        searches = tuple(_search(**fields) for fields in found.pop("saved_searches", ()))
        later = {"concepts": concepts, "albums": albums, "saved_searches": searches}
        description = Description(**found | {"folders": tuple(found["folders"])} | later)
        texts = (*description.folders, description.model, description.fingerprint, description.exported_at)
        texts += (description.seal,)
        numbers = (description.dim, description.pictures, description.captions, description.parts)
        if not all(isinstance(text, str) and "\0" not in text for text in texts):
            raise ValueError
        if not all(isinstance(number, int) and 0 <= number < 1 << 62 for number in numbers):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"{where} is damaged: it is not the description of a clipsearch export") from error
    return description


def _concept(name: str, words: str | None, positives: list[str], negatives: list[str]) -> ExportedConcept:
    """Check an untrusted concept.

    Raises:
        ValueError: a value is invalid.
        TypeError: likewise.
    """
    is_valid = concept_name(name) == name and (words is None or (is_valid_text(words) and len(words) <= _MAX_WORDS))
    if not is_valid or not all(_DIGEST.fullmatch(digest) for digest in (*positives, *negatives)):
        raise ValueError
    return ExportedConcept(name, words, tuple(positives), tuple(negatives))


def _album(name: str, pictures: list[str]) -> ExportedAlbum:
    """Check an untrusted album; errors as in `_concept`."""
    if not is_valid_text(name) or not all(_DIGEST.fullmatch(digest) for digest in pictures):
        raise ValueError
    return ExportedAlbum(name, tuple(pictures))


def _search(name: str, query: str, pictures: dict[str, str] | None = None) -> ExportedSearch:
    """Check an untrusted saved search, but for its query; errors as in `_concept`."""
    pictures = pictures or {}
    if concept_name(name) != name or not is_valid_text(query) or not all(map(_DIGEST.fullmatch, pictures.values())):
        raise ValueError
    return ExportedSearch(name, query, dict(pictures))


def require_pyarrow() -> None:
    """Check that pyarrow is installed.

    Raises:
        MissingExtraError: it is not.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("an export or import", "pyarrow", "pyarrow>=18") from error
