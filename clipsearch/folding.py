"""Names as they are compared: without regard to case, accents and how characters are put together.

One rule for file names, folders, cameras and the patterns that look for them, on every system and in every database:
what is stored is folded by `fold_name` when it is recorded, and SQL compares it as it is.
"""

import re
import unicodedata

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
