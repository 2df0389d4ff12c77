"""Turn names of places into the keys that the table is searched by."""

import re
from hashlib import blake2b

from clipsearch.text import fold_name

KEY_BYTES = 5
"""Length of a key: of 600,000 names, a name that no place bears is taken for one of them in 1 of 1.8 million cases."""

MOST_LETTERS = 100
"""Longer names are no place's: the longest in the table has 85 letters."""

CODE_MARK = "~"
"""Before a code that only qualifies: "~tx" is found by "Paris, TX", not by the word "tx"."""

NAMES_A_START = 64
"""The table says where each so manieth name starts, and the length of each."""

_SPACES = re.compile(r"[\s\-‐-―_/·・,]+")
_DROPPED = re.compile(r"[.'’‘`ʼʻ\"()]")


def plain_name(name: str) -> str:
    """Fold a name of a place: as `fold_name`, hyphens are spaces, points and apostrophes are dropped.

    "Aix-en-Provence" is "aix en provence", "St. John's" is "st johns".
    """
    return _SPACES.sub(" ", _DROPPED.sub("", fold_name(name))).strip()


def name_key(plain: str) -> int:
    """Return the key of a folded name: the first 5 bytes of its BLAKE2b hash, as a big-endian number."""
    return int.from_bytes(blake2b(plain.encode("utf-8"), digest_size=KEY_BYTES).digest(), "big")
