"""Describe the part that a row of an export is of, as JSON in its column `part`."""

import json

from clipsearch.parts import MOST_PARTS, Part
from clipsearch.store.exports import ExportedPart

# Longest description: that of a part, its number and their count.
_MOST_CHARACTERS = 400


def pack_part(row: ExportedPart | None) -> str | None:
    """Return the value of the column: None for a content of one part, which was not looked at for others."""
    if row is None:
        return None
    described = {} if row.part is None else row.part.to_json()
    return json.dumps({"number": row.number, "count": row.count} | described, separators=(",", ":"))


def unpack_part(value: object) -> ExportedPart | None:
    """Return the part of an untrusted value.

    Raises:
        ValueError: it is invalid.
    """
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _MOST_CHARACTERS:
        raise ValueError("an invalid part")
    try:
        found = json.loads(value)
    except RecursionError as error:
        raise ValueError("an invalid part") from error
    if not isinstance(found, dict):
        raise ValueError("an invalid part")  # noqa: TRY004
    number, count = found.pop("number", None), found.pop("count", None)
    # Only a cover may be the whole picture.
    if (
        type(number) is not int
        or type(count) is not int
        or not 0 <= number < count <= MOST_PARTS
        or not (found or not number)
    ):
        raise ValueError("an invalid part")
    return ExportedPart(number, count, Part.from_json(found) if found else None)
