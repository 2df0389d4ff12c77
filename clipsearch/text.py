"""Validate texts and `top_k`, recognise URLs, and fold names and words for caseless matching."""

import re
import unicodedata
from collections.abc import Sequence

from clipsearch.errors import QueryError


def check_text(text: str, what: str) -> None:
    """Validate a text before a tokenizer sees it.

    Args:
        what: the text's name in the message, as in "query".

    Raises:
        QueryError: the text is empty, or not valid Unicode (lone surrogates stand for undecodable bytes).
    """
    if not text.strip():
        raise QueryError(f"the {what} is empty: say what to look for, as in 'a red car in the snow'")
    if not is_valid(text):
        raise QueryError(f"the {what} is not valid text (UTF-8): {text.encode('utf-8', 'backslashreplace').decode()}")


def as_list(texts: str | Sequence[str]) -> list[str]:
    """Return the texts as a list; a single text becomes a list of one, not of its letters."""
    return [texts] if isinstance(texts, str) else list(texts)


MOST_TOP_K = 1_000_000_000
"""Upper limit of `top_k`: more results than any catalog has."""


def check_top_k(top_k: int) -> None:
    """Validate the number of results of a query.

    Raises:
        QueryError: it is less than 1, or more than a billion.
    """
    if not 1 <= top_k <= MOST_TOP_K:
        raise QueryError(f"top_k must be at least 1 and at most {MOST_TOP_K:,}, not {top_k}")


def is_valid(text: str) -> bool:
    """Return whether a text is valid Unicode, without lone surrogates, which stand for undecodable bytes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_url(text: str) -> bool:
    """Return whether a text is an HTTP or HTTPS URL."""
    return text.lower().startswith(("http://", "https://"))


# Only combining marks of Latin, Greek and Cyrillic: Indic vowel signs, dakuten, Hebrew and Arabic points distinguish
# words. Source: Unicode 16, Combining Diacritical Marks (0300-036F).
_ACCENTS = dict.fromkeys(range(0x0300, 0x0370))

# Dotless i has no decomposition, and users without a Turkish keyboard type "i" instead.
_FOLDED = _ACCENTS | {0x0131: "i"}

# NUL and surrogates (undecodable bytes), which no database stores as text: mapped to private-use characters.
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")

_PRIVATE_USE = 0x10F000


def fold_name(text: str) -> str:
    """Fold a name, or a part of a pattern: NFKD, full case folding, no accents, NFC.

    "Straße", "STRASSE" and "strasse" are the same, so are "café" in either form and "cafe", "ﬁ" and "fi", "Ａ" and "a".
    Idempotent; names joined by "/" fold to the folded names joined by "/". The result is valid text without NUL.

    Source: Unicode 16, chapter 3.13, Default Caseless Matching.
    """
    if text.isascii() and "\0" not in text:
        return text.lower()
    if _NOT_STORABLE.search(text):
        text = _NOT_STORABLE.sub(lambda found: chr(_PRIVATE_USE + (ord(found[0]) & 0x7FF)), text)
    folded = unicodedata.normalize("NFKD", text).casefold()
    # Case folding can produce characters that decompose again.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", folded).translate(_FOLDED))


class _Separators(dict[int, int | str | None]):
    """What a character of a folded text becomes in `fold_words`, learnt as it is met."""

    def __missing__(self, code: int) -> int | str | None:
        # Letters, marks, numbers and symbols stay; what is invisible (Cf), such as a soft hyphen, vanishes.
        category = unicodedata.category(chr(code))
        self[code] = None if category == "Cf" else " " if category[0] in "PZC" else code
        return self[code]


_SEPARATORS = _Separators()


def fold_words(text: str) -> str:
    """Fold a text to its words: `fold_name`, with one blank for all that stands between words.

    "Summer_Camp--2019/b.jpg" becomes "summer camp 2019 b jpg". Idempotent; empty for a text without words.
    """
    return " ".join(fold_name(text).translate(_SEPARATORS).split())


def needs_no_blank(character: str) -> bool:
    """Return whether a character, or "", belongs to a script without blanks between words."""
    return bool(character) and (unicodedata.east_asian_width(character) == "W" or "\u0e00" <= character <= "\u0eff")


def stored_fold(text: str) -> str | None:
    """Return the `fold_name` to store alongside the name; None for ASCII, which SQL lower-cases itself."""
    return None if text.isascii() and "\0" not in text else fold_name(text)
