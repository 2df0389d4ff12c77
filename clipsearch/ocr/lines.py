"""Lines of text that were read in a picture, as they are stored."""

import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from clipsearch.parts import Box

MOST_LINES = 10_000
"""Lines of one content: of a document of 200 pages."""

MOST_CHARACTERS = 400
"""Characters of one line."""

MOST_PACKED = 1 << 23
"""Characters of what `pack_lines` returns."""

# Characters of all lines of a content: in ASCII up to twelve times as many, see `MOST_PACKED`.
_MOST_OF_ALL = 500_000

# Unicode's categories of controls, formats and surrogates.
_NO_TEXT = ("Cc", "Cf", "Cs")

_VALUES = 6
_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text in a picture.

    Attributes:
        text: as it was read; words are separated by blanks where they are in the picture.
        confidence: mean probability of its characters, 0 to 1.
        box: where it is, upright, around it also where it is turned.
        page: of a document, from 1; None of a picture.
    """

    text: str
    confidence: float
    box: Box
    page: int | None = None

    @property
    def script(self) -> str:
        """Script of most letters, as Unicode names it: "latin", "cyrillic", "cjk", "hiragana"; "" without letters."""
        names = Counter(unicodedata.name(each, "").partition(" ")[0].lower() for each in self.text if each.isalpha())
        return min(names, key=lambda name: (-names[name], name), default="")


def clean_text(text: str) -> str:
    """Return a text in one line, without what controls a terminal or is no character, up to `MOST_CHARACTERS`."""
    kept = "".join(each for each in text if each.isspace() or unicodedata.category(each) not in _NO_TEXT)
    return " ".join(kept.split())[:MOST_CHARACTERS]


def pack_lines(lines: Sequence[TextLine]) -> str:
    """Return lines as JSON in ASCII, "" of none; the last ones of very much text are left out."""
    ends = accumulate(len(each.text) for each in lines)
    lines = [each for each, end in zip(lines, ends, strict=True) if end <= _MOST_OF_ALL][:MOST_LINES]
    rows = [
        [
            each.text,
            round(each.confidence, _DECIMALS),
            *(round(edge, _DECIMALS) for edge in each.box),
            *([] if each.page is None else [each.page]),
        ]
        for each in lines
    ]
    return json.dumps(rows, separators=(",", ":")) if rows else ""


def unpack_lines(text: object) -> tuple[TextLine, ...]:
    """Return what `pack_lines` has described, from an untrusted file; what is invalid is left out."""
    if not isinstance(text, str) or not text or len(text) > MOST_PACKED:
        return ()
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    found = map(_line, rows[:MOST_LINES]) if isinstance(rows, list) else ()
    return tuple(line for line in found if line is not None)


def _line(row: object) -> TextLine | None:
    if not isinstance(row, list) or len(row) not in (_VALUES, _VALUES + 1):
        return None
    text, confidence, left, top, right, bottom, *pages = row
    text = clean_text(text) if isinstance(text, str) else ""
    numbers = (confidence, left, top, right, bottom)
    if not all(isinstance(number, int | float) and 0 <= number <= 1 for number in numbers):
        return None
    if not text or not (left < right and top < bottom):
        return None
    page = pages[0] if pages else None
    if page is not None and not (isinstance(page, int) and page > 0):
        return None
    return TextLine(text, float(confidence), (left, top, right, bottom), page)
