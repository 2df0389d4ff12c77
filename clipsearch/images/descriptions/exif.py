"""Describe a picture from its EXIF tags."""

import math
from collections.abc import Iterator, Mapping

from PIL.ExifTags import Base

from clipsearch.description import NOTHING, UNRATED, Description
from clipsearch.images.descriptions.keywords import join_keywords
from clipsearch.images.descriptions.ratings import read_percent, read_stars
from clipsearch.images.descriptions.texts import clean_lines, decode_text, first_of, first_written, join_creators

# Source: Windows Imaging Component, "Photo Metadata Policies"; exiftool, `Exif.pm`.
_RATING, _PERCENT = 0x4746, 0x4749
_WINDOWS_TEXTS = (Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject)

TEXT_TAGS = (Base.ImageDescription, Base.Artist, Base.Copyright, _RATING, _PERCENT, *_WINDOWS_TEXTS)
"""Tags of the main directory that describe a picture."""

_TAGS = (*TEXT_TAGS, Base.UserComment)

# Source: EXIF 2.32, 4.6.5, tag 0x9286: the character code, then the text.
_CODE_BYTES = 8
_UNICODE, _JIS = b"UNICODE\0", b"JIS\0\0\0\0\0"

_MAX_BYTES = 64 << 10


def describe_tags(tags: Mapping[int, object]) -> Description:
    """Return what EXIF says about a picture: its tags are those of the main directory and of the Exif directory.

    A rating of 0 says nothing: cameras write it.
    """
    if not any(tags.get(tag) for tag in _TAGS):
        return NOTHING
    captions = (
        _text(tags.get(Base.ImageDescription)),
        _windows_text(tags.get(Base.XPComment)),
        _comment(tags.get(Base.UserComment)),
        _windows_text(tags.get(Base.XPSubject)),
    )
    creators = (_text(tags.get(Base.Artist)), _windows_text(tags.get(Base.XPAuthor)))
    return Description(
        title=first_written([_windows_text(tags.get(Base.XPTitle))]),
        caption=first_written(captions, clean=clean_lines),
        keywords=join_keywords(_windows_text(tags.get(Base.XPKeywords)).split(";")),
        rating=_rating(tags),
        creator=next(filter(None, (join_creators([name]) for name in creators)), None),
        # Of the photographer and of the editor.
        copyright=first_of(["; ".join(_parts(tags.get(Base.Copyright)))]),
    )


def _rating(tags: Mapping[int, object]) -> int | None:
    found = (read_stars(_number(tags.get(_RATING))), read_percent(_number(tags.get(_PERCENT))))
    return next((rating for rating in found if rating is not None and rating != UNRATED), None)


def _number(value: object) -> str:
    return str(value) if isinstance(value, int | float | str) else ""


def _text(value: object) -> str:
    """Return a text up to its first NUL. EXIF is ASCII; Pillow reads it as Latin-1, and programs write UTF-8."""
    return next(_parts(value), "")


def _parts(value: object) -> Iterator[str]:
    """Yield the parts of a text between NULs that are not blank."""
    if isinstance(value, str):
        try:
            value = value[:_MAX_BYTES].encode("latin-1")
        except UnicodeEncodeError:
            yield from filter(str.strip, str(value).split("\0"))
            return
    if isinstance(value, bytes):
        yield from (decode_text(part) for part in value[:_MAX_BYTES].split(b"\0") if part.strip())


def _windows_text(value: object) -> str:
    """Return the text of one of Windows' own tags, which is UTF-16."""
    if isinstance(value, tuple) and all(isinstance(each, int) and 0 <= each < 256 for each in value):
        value = bytes(value[:_MAX_BYTES])
    if not isinstance(value, bytes):
        return ""
    return value[:_MAX_BYTES].decode("utf-16-le", "ignore").partition("\0")[0]


def _comment(value: object) -> str:
    """Return the text of a UserComment, whatever the character code before it; "" where it holds data."""
    if isinstance(value, str):
        value = value[:_MAX_BYTES].encode("latin-1", "ignore")
    if not isinstance(value, bytes):
        return ""
    code, content = value[:_CODE_BYTES], value[_CODE_BYTES:_MAX_BYTES]
    if code == _UNICODE:
        text = _decode_utf_16(content)
    elif code == _JIS:
        text = content.decode("iso2022_jp", "ignore")
    elif b"\0" in code:  # ASCII, or undefined
        text = decode_text(content.partition(b"\0")[0])
    else:  # without a code, against the standard
        text = decode_text(value[:_MAX_BYTES].partition(b"\0")[0])
    # Makers store data of their own in it.
    return text if text.isprintable() or sum(map(_is_odd, text)) <= len(text) // 50 else ""


def _is_odd(character: str) -> bool:
    return character == "\ufffd" or not (character.isprintable() or character.isspace())


def _decode_utf_16(content: bytes) -> str:
    """Decode UTF-16 of unknown order, as the one in which a text keeps to fewer scripts."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "ignore").strip("\0")
    texts = [content.decode(order, "ignore").partition("\0")[0] for order in ("utf-16-le", "utf-16-be")]
    return min(texts, key=lambda text: len(set(map(_script, text))) if text else math.inf)


def _script(character: str) -> int:
    """Return a number for the block of a character; that of all East Asian ones is 1, and that of Latin ones is 0."""
    place = ord(character)
    if 0x3000 <= place < 0x3200 or 0x4E00 <= place < 0xA000 or 0xFF00 <= place < 0xFFF0:
        return 1
    return 2 if 0xAC00 <= place < 0xD7B0 else 0 if place < 0x250 or 0x2000 <= place < 0x2070 else 3 + (place >> 8)
