"""Regular expressions and predicates for the tokens of a query."""

import re
import unicodedata

from clipsearch.parts import FRAGMENT
from clipsearch.query.filters import NAME_FORM

QUOTED = r'"(?:[^"\\]|\\.)*"|“[^“”]*”|„[^“”„]*[“”]'
TOKEN = re.compile(rf"(?P<sign>[+\-]|&&?)|(?P<quoted>{QUOTED})|(?P<word>[^\s\"](?:{QUOTED}|[^\s\"])*)", re.DOTALL)
# NOT, ! and a dash before a filter mean -. The ASCII flag, because the lower case of İ is two characters.
FILTER = re.compile(rf"(?P<minus>[-−–—]|!\s*|NOT\s+)?(?P<key>{NAME_FORM})[:：]")

# A filter's value, parts of which may be in quotes.
VALUE = re.compile(rf"(?:{QUOTED}|[^\s\"])+", re.DOTALL)

LONE_SIGN = re.compile(r"[+\-&](?=\s|$)")
BLANKS = re.compile(r"\s*")
NUMBERED = re.compile(
    r"(?P<number>[+-]?(?:\d[\d.,]*|\.\d[\d.,]*)(?:e[+-]?\d+)?|nan|inf(?:inity)?)[:：]", re.ASCII | re.IGNORECASE
)
PATH = re.compile(r"\.{0,2}[/\\]\S|~[^\s/\\]*[/\\]\S|[A-Za-z]:[/\\]\S|https?://\S", re.IGNORECASE)


MOST_NAME_CHARACTERS = 64
"""Upper limit of the name of a concept."""


def concept_name(name: str) -> str | None:
    """Return the name that a concept is stored by, "rex" for "Rex" and "REX"; None for one that it can't have.

    It has letters and digits of any script, hyphens and underscores, and does not begin with one of these two.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    if not 0 < len(folded) <= MOST_NAME_CHARACTERS or not folded[0].isalnum():
        return None
    # Marks: vowel signs of Indic scripts are no letters.
    is_valid = all(each.isalnum() or each in "-_" or unicodedata.category(each)[0] == "M" for each in folded)
    return folded if is_valid else None


def find_concept(token: str) -> str | None:
    """Return the folded name of the concept that a token names, as in "@rex"; None for any other."""
    return concept_name(token[1:]) if token[:1] == "@" else None


def is_picture(token: str) -> bool:
    """Return whether a token is the path or URL of a picture, judging by its syntax alone."""
    return PATH.match(token) is not None or has_picture_suffix(token)


def without_fragment(token: str) -> str:
    """Return a token without the fragment that says which part of a file is meant, as in "film.mp4#t=83.5"."""
    return re.sub(rf"#(?:{FRAGMENT})$", "", token, flags=re.ASCII)


def has_picture_suffix(token: str) -> bool:
    """Return whether a token ends with the suffix of a picture file, camera raw files included where not read."""
    if "#" in token:
        token = without_fragment(token)
    _, dot, suffix = token.rpartition(".")
    if not dot:
        return False
    from clipsearch.formats import IMAGE_SUFFIXES, RAW_SUFFIXES

    return f".{suffix.lower()}" in IMAGE_SUFFIXES | RAW_SUFFIXES
