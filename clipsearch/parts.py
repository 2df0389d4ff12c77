"""Parts of a content: the scenes of a film, the pages of a document, and crops of a picture."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

PartKind = Literal["scene", "page", "crop"]
_KINDS: tuple[PartKind, ...] = get_args(PartKind)

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom edge, as shares of the upright picture, 0 to 1."""

_EDGES = 4

FRAGMENT = (
    r"t=(?P<time>\d{1,9}(?:\.\d{1,9})?)|page=(?P<page>[1-9]\d{0,9})"
    r"|xywh=percent:(?P<box>\d{1,3}(?:\.\d{1,9})?(?:,\d{1,3}(?:\.\d{1,9})?){3})"
)
"""Pattern of a part as a fragment, see `Part.fragment`."""

MOST_PARTS = 600
"""Parts of one content: scenes of five hours, or pages of a thick book."""

MOST_SECONDS = 1e7
"""Bound of the length of a film."""

# No document has more pages.
_MOST_PAGES = 1 << 31


@dataclass(frozen=True, slots=True)
class Part:
    """Part of a content; a whole picture is none.

    Attributes:
        kind: a scene has `start_s` and `end_s`, a page `page`, a crop `box`.
        page: from 1; of an animation, the frame.
        start_s: seconds from the start of the film; of the frame that stands for the scene it is the time itself.
        end_s: seconds, at least `start_s`.
        box: of the crop.

    Raises:
        ValueError: a value is missing, out of range, or of another kind. Values may come from an untrusted file.
    """

    kind: PartKind
    page: int | None = None
    start_s: float | None = None
    end_s: float | None = None
    box: Box | None = None

    def __post_init__(self) -> None:
        is_scene, is_page, is_crop = (self.kind == kind for kind in _KINDS)
        is_valid = (
            (is_scene or is_page or is_crop)
            and is_scene == (self.start_s is not None) == (self.end_s is not None)
            and is_page == (self.page is not None)
            and is_crop == (self.box is not None)
        )
        if is_valid and self.page is not None:
            is_valid = type(self.page) is int and 1 <= self.page <= _MOST_PAGES
        if is_valid and self.start_s is not None and self.end_s is not None:
            is_valid = 0 <= self.start_s <= self.end_s <= MOST_SECONDS
        if is_valid and self.box is not None:
            left, top, right, bottom = self.box
            is_valid = 0 <= left < right <= 1 and 0 <= top < bottom <= 1
        if not is_valid:
            raise ValueError("an invalid part")

    @property
    def fragment(self) -> str:
        """Return the part as the fragment of a path: "t=83.5", "page=3" or "xywh=percent:0,0,50,50".

        Source: Media Fragments URI 1.0, W3C 2012, 4.2; RFC 8118, 3 (page).
        """
        if self.start_s is not None:
            return f"t={_short(self.start_s)}"
        if self.box is not None:
            left, top, right, bottom = (100 * edge for edge in self.box)
            return "xywh=percent:" + ",".join(map(_short, (left, top, right - left, bottom - top)))
        return f"page={self.page}"

    @property
    def label(self) -> str:
        """Return the part for people: "1:23", "page 3" or "detail"."""
        if self.start_s is not None:
            return clock(self.start_s)
        return "detail" if self.page is None else f"page {self.page}"

    @property
    def order(self) -> tuple[float, ...]:
        """Key that sorts the parts of a content: by time, page, or rows from the left."""
        left, top, *_ = self.box or (0.0, 0.0)
        return (self.start_s or 0.0, self.page or 0, top, left)

    def to_json(self) -> dict[str, Any]:
        """Return the part as JSON: its kind and what it has."""
        values = {"page": self.page, "start_s": self.start_s, "end_s": self.end_s, "box": self.box}
        return {"kind": self.kind, **{name: value for name, value in values.items() if value is not None}}

    @classmethod
    def from_json(cls, value: object) -> "Part":
        """Return the part that `to_json` has described, from an untrusted file.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(value, Mapping) or not value.keys() <= {"kind", "page", "start_s", "end_s", "box"}:
            raise ValueError("an invalid part")
        box = value.get("box")
        edges = tuple(box) if isinstance(box, list | tuple) else ()
        times = [each for each in (value.get("start_s"), value.get("end_s")) if each is not None]
        if not all(map(_is_finite, (*times, *edges))) or (box is not None and len(edges) != _EDGES):
            raise ValueError("an invalid part")
        kind, page, start_s, end_s = (value.get(name) for name in ("kind", "page", "start_s", "end_s"))
        return cls(kind, page, start_s, end_s, edges or None)  # type: ignore[arg-type]


# Longest description of a part: six numbers of 25 characters, and their names.
_MOST_CHARACTERS = 300

MAX_DESCRIPTION = MOST_PARTS * _MOST_CHARACTERS
"""Bound of the characters that describe the parts of a content as JSON."""

Parts: TypeAlias = tuple[Part | None, ...]
"""All parts of a content. The first, its cover, stands for the content: None is the whole picture. () is (None,)."""


def pack_parts(parts: Parts) -> str:
    """Return parts as JSON."""
    return json.dumps([None if part is None else part.to_json() for part in parts], separators=(",", ":"))


def unpack_parts(text: str | bytes) -> Parts:
    """Return the parts of untrusted JSON.

    Raises:
        ValueError: it is invalid, or has more than `MOST_PARTS`.
    """
    if len(text) > MAX_DESCRIPTION:  # before it takes many times that in memory
        raise ValueError("invalid parts")
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ValueError("invalid parts") from error
    if not isinstance(values, list) or len(values) > MOST_PARTS:
        raise ValueError("invalid parts")
    return tuple(None if value is None else Part.from_json(value) for value in values)


def locate(path: str, part: Part | None) -> str:
    """Return a path with its part as the fragment: "film.mp4#t=83.5"; the path itself for a whole picture."""
    return path if part is None else f"{path}#{part.fragment}"


def parse_fragment(text: str) -> Part | None:
    """Return the part that a fragment describes, see `Part.fragment`; a time is a scene of no length. None: no part."""
    found = re.fullmatch(FRAGMENT, text, re.ASCII)
    try:
        if found is None:
            return None
        if found["time"]:
            return Part("scene", start_s=float(found["time"]), end_s=float(found["time"]))
        if found["page"]:
            return Part("page", page=int(found["page"]))
        left, top, width, height = (float(each) / 100 for each in found["box"].split(","))
        return Part("crop", box=(left, top, min(1.0, left + width), min(1.0, top + height)))
    except ValueError:
        return None


def split_location(location: str) -> tuple[str, Part | None]:
    """Return the path and the part that `locate` has joined; all of it and None without a valid fragment."""
    path, hash_sign, fragment = location.rpartition("#")
    part = parse_fragment(fragment) if hash_sign and path else None
    return (location, None) if part is None else (path, part)


def pixel_box(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Return a box in whole pixels, at least one each way."""
    left, top = min(width - 1, round(box[0] * width)), min(height - 1, round(box[1] * height))
    return left, top, max(left + 1, round(box[2] * width)), max(top + 1, round(box[3] * height))


def clock(seconds: float) -> str:
    """Return a time as on a player: "1:23", "1:02:05"."""
    minutes, whole = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _short(value: float) -> str:
    """Return a number to a hundredth, without needless zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
