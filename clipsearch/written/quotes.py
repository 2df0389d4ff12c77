"""Quote what is written about a picture around the words that were found in it."""

from collections.abc import Sequence
from typing import NamedTuple

from clipsearch.text import fold_words
from clipsearch.written.documents import Words

MOST_CHARACTERS = 80
"""Characters of a quotation, without the dots where it is cut."""


class Quotation(NamedTuple):
    """A text, cut to about `MOST_CHARACTERS` around the words in it, and its place among the texts."""

    text: str
    place: int


def quote_writing(texts: Sequence[str], wanted: Words) -> Quotation | None:
    """Return the text that has most of the words; None where none has any.

    Args:
        texts: as `documents.texts_of` returns them; of equally good ones the first counts.
    """
    best: tuple[tuple[bool, int], int, str] | None = None
    for number, text in enumerate(texts):
        folded = f" {fold_words(text)} "
        worth = wanted.phrase in folded, sum(word in folded for word in wanted.words)
        if worth[1] and (best is None or worth > best[0]):
            best = worth, number, text
    if best is None:
        return None
    (has_phrase, _), number, text = best
    parts = [wanted.phrase] if has_phrase else wanted.words
    plain = " ".join(text.encode("utf-8", "replace").decode().split())
    start = min((place for part in parts if (place := _find(plain, part)) >= 0), default=0)
    return Quotation(_cut(plain, start), number)


def _find(text: str, part: str) -> int:
    """Return where a folded part begins in a text as it is written; -1 where it is not found."""
    folded, places = [" "], [0]
    for place, character in enumerate(text):
        words = fold_words(character) or ("" if folded[-1] == " " else " ")
        for each in words:
            folded.append(each)
            places.append(place)
    found = "".join([*folded, " "]).find(part)
    return -1 if found < 0 else places[min(found + (part[:1] == " "), len(places) - 1)]


def _cut(text: str, place: int) -> str:
    """Return a text, cut around a place between words where it has any nearby."""
    if len(text) <= MOST_CHARACTERS:
        return text
    start = max(0, min(place - MOST_CHARACTERS // 3, len(text) - MOST_CHARACTERS))
    end = start + MOST_CHARACTERS
    if start:
        start = text.find(" ", start, place) + 1 or start
    if end < len(text):
        end = max(text.rfind(" ", place + 1, end), 0) or end
    return ("…" if start else "") + text[start:end].strip() + ("…" if end < len(text) else "")
