"""What a text must be before a tokenizer sees it, and what it may be instead of words."""

import re
import unicodedata
from collections.abc import Sequence

from clipsearch.errors import QueryError


def check_text(text: str, what: str) -> None:
    """
    Args:
        what: the text's name in the message, as in "query".

    Raises:
        QueryError: it is empty, or holds bytes that were no valid text (lone surrogates).
    """
    if not text.strip():
        raise QueryError(f"the {what} is empty: say what to look for, as in 'a red car in the snow'")
    if not is_valid(text):
        raise QueryError(f"the {what} is not valid text (UTF-8): {text.encode('utf-8', 'backslashreplace').decode()}")


def as_list(texts: str | Sequence[str]) -> list[str]:
    """One text is a list of one, not of its letters."""
    return [texts] if isinstance(texts, str) else list(texts)


MOST_TOP_K = 1_000_000_000
"""Results of a query: more than any catalog has."""


def check_top_k(top_k: int) -> None:
    """
    Raises:
        QueryError: it is less than 1, or more than a billion.
    """
    if not 1 <= top_k <= MOST_TOP_K:
        raise QueryError(f"top_k must be at least 1 and at most {MOST_TOP_K:,}, not {top_k}")


def is_valid(text: str) -> bool:
    """False for a text with lone surrogates, which stand for bytes that could not be decoded."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


# Of all combining marks those of Latin, Greek and Cyrillic letters: vowel signs of Indic scripts, dakuten and points of
# Hebrew and Arabic make other words. Source: Unicode 16, Combining Diacritical Marks (0300-036F).
_ACCENTS = dict.fromkeys(range(0x0300, 0x0370))

# Dotless i has no decomposition; Turkish names are looked for on keyboards that don't have it.
_FOLDED = _ACCENTS | {0x0131: "i"}

# Bytes that are no UTF-8 come as surrogates, which no database takes as text, nor NUL: they become private characters.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")

_PRIVATE = 0x10F000


def fold_name(text: str) -> str:
    """Fold a name, or a part of a pattern: NFKD, full case folding, no accents, NFC.

    "Straße", "STRASSE" and "strasse" are the same, so are "café" in either form and "cafe", "ﬁ" and "fi", "Ａ" and "a".
    Idempotent; of names that are joined by "/" it gives the folded names joined by "/". Valid text without NUL.

    Source: Unicode 16, chapter 3.13, Default Caseless Matching.
    """
    if text.isascii() and "\0" not in text:
        return text.lower()
    if _NO_TEXT.search(text):
        text = _NO_TEXT.sub(lambda found: chr(_PRIVATE + (ord(found[0]) & 0x7FF)), text)
    folded = unicodedata.normalize("NFKD", text).casefold()
    # Case folding may give what has a decomposition again.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", folded).translate(_FOLDED))


def stored_fold(text: str) -> str | None:
    """`fold_name` where it is kept beside the name; None for ASCII, whose small letters SQL itself knows."""
    return None if text.isascii() and "\0" not in text else fold_name(text)
