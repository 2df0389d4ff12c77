"""Clean the texts of untrusted metadata, decode them, and recognise those that a camera writes into every file."""

import re
from collections.abc import Callable, Iterable

from clipsearch.description import MOST_CHARACTERS, MOST_CHARACTERS_OF_A_NAME

# Control characters, and the newer line separators; not the joiners that letters and emojis need.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Characters that turn the direction of all text after them, marks of the byte order, and halves of characters.
_REMOVED = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")
_LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_BLANK_LINES = re.compile("\n{3,}")

# Source: pictures of these makers; exiftool's and digiKam's lists of them. Huawei names its picture modes.
_CAMERA_DEFAULTS = re.compile(
    r"""(?:
        (?:[\w-]+[ ])*digital([ ]still)?[ ]camera | <.*(?:samsung|digimax|kenox).*> | samsung(?:[ ]csc)?
        | sony[ ]dsc | (?:konica[ ])?minolta[ ](?:dsc|digital.*) | dcim\S* | exif[ _]jpeg(?:[ _]picture)?
        | (?:digital|camera)[ ]image | jpeg | picture | image | photo | untitled | default | none
        | my[ ]beautiful[ ]picture
        | (?-i:cof|nor|hdr|sdr|rhdr|hdrpl|mde|dav|ptr|edf|fbt|mbt|rbt|rpt|rbsh|tmd|btf|bty|oznor(?:WO)?)
        | oplus_\d+ | charset=\w+ | ascii | \?+
        | img_?\w*\d\w* | dsc[nf_]?\w*\d\w*
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def clean_line(text: str, most: int = MOST_CHARACTERS_OF_A_NAME) -> str:
    """Clean a text to one line of up to `most` characters, without control characters; whitespace is one space."""
    text = text[: 4 * most]  # control characters and whitespace may be most of it
    if not text.isprintable():
        text = _REMOVED.sub("", _CONTROL.sub(" ", text))
    return " ".join(text.split())[:most].rstrip()


def clean_lines(text: str) -> str:
    """Clean a caption: as `clean_line`, but with its line breaks, and up to one blank line in a row."""
    text = text[: 4 * MOST_CHARACTERS]
    if text.isprintable():
        return clean_line(text, MOST_CHARACTERS)
    lines = (clean_line(line, MOST_CHARACTERS) for line in _LINE_END.sub("\n", text).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines).strip())[:MOST_CHARACTERS].rstrip()


def clean_names(names: Iterable[str]) -> list[str]:
    """Clean names, and leave out those that are empty then."""
    return [name for each in names if (name := clean_line(each))]


def first_of(texts: Iterable[str], *, clean: Callable[[str], str] = clean_line) -> str | None:
    """Return the first text that says something, cleaned; None without one."""
    return next((cleaned for text in texts if text and (cleaned := clean(text))), None)


def first_written(texts: Iterable[str], *, clean: Callable[[str], str] = clean_line) -> str | None:
    """Return the first text that says something which is not the same in every picture of a camera; None without."""
    return first_of((text for text in texts if text and not is_written_by_camera(text)), clean=clean)


def is_written_by_camera(text: str) -> bool:
    """Return whether a title or caption is one that cameras and telephones write into every picture."""
    line = clean_line(text)
    is_data = line.startswith("{") and line.endswith("}")  # settings of a telephone, as JSON
    return is_data or _CAMERA_DEFAULTS.fullmatch(line) is not None


def join_creators(names: Iterable[str]) -> str | None:
    """Join names of creators by "; "; a name that holds several, separated likewise, is split first."""
    split = dict.fromkeys(clean_names(part for name in names for part in name.split(";")))
    return clean_line("; ".join(split)) or None


def decode_text(content: bytes) -> str:
    """Decode bytes as UTF-8, even where the last character is cut off, else as Windows-1252."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.start > 0 and not content[: error.start].isascii():
            return content[: error.start].decode("utf-8")
        return content.decode("cp1252", "replace")
