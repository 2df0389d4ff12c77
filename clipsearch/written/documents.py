"""Texts of a picture as the full-text index has them, and words of a query to look for in them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from clipsearch.description import Description
from clipsearch.text import fold_words, needs_no_blank

WRITING = ("title", "names", "caption", "others", "path")
"""Fields of what people wrote: title; keywords and people; caption; creator and places; folders and names of files."""

READ = "read"
"""Field of the lines that were read in the picture."""

FIELDS = (*WRITING, READ)
"""Fields of a document."""

BETWEEN = "\n"
"""Stands between the texts of one field; no folded text has it, so that nothing is found across two of them."""

Document = tuple[str, str, str, str, str, str]
"""Text of each field: folded texts, each between two blanks, with `BETWEEN` between them; "" for none."""

# Words that most sentences have, which say nothing of what a picture is called. English, German, French, Spanish.
_STOP_WORDS = frozenset(
    word
    for words in (
        "a an the of in on at by to with from and or for is are as this that my our your his her its",
        "photo photos picture pictures image images pic pics",
        "der die das den dem des ein eine einen einem einer eines und oder von vom zu zum zur im am an auf bei mit aus",
        "ist mein meine foto fotos bild bilder",
        "le la les un une des du de et ou au aux en dans sur avec par pour est mon ma mes",
        "el los las una unos unas y o del al con por para es mi mis imagen imagenes",
    )
    for word in words.split()
)


@dataclass(frozen=True, slots=True)
class Words:
    """Words of a query that a picture's writing has to have, all of them.

    Attributes:
        words: folded, each with the blanks that make it a whole word, see `whole`.
        phrase: all of them in a row, with the stop words between them, likewise.
    """

    words: tuple[str, ...]
    phrase: str


def words_of(text: str) -> Words | None:
    """Return the words of a query to look for, without stop words; None where no others are left."""
    every = fold_words(text).split()
    places = [place for place, word in enumerate(every) if word not in _STOP_WORDS]
    if not places:
        return None
    words = tuple(dict.fromkeys(whole(every[place]) for place in places))
    return Words(words, whole(" ".join(every[places[0] : places[-1] + 1])))


def whole(text: str) -> str:
    """Return a folded text with the blanks that keep it from matching within longer words.

    Scripts without blanks between words need none: there any part of a text is a word.
    """
    before, behind = ("" if needs_no_blank(edge) else " " for edge in (text[:1], text[-1:]))
    return before + text + behind


def document_of(description: Description, paths: Iterable[str], lines: Iterable[str] = ()) -> Document:
    """Return the document of a picture.

    Args:
        paths: of its files below their indexed folders, folded as by `fold_name`.
        lines: that were read in it, in their order: words are found across two of them.
    """
    path = BETWEEN.join(map(_path_words, paths))
    read = _field([" ".join(lines)])
    if not description:
        return "", "", "", "", path, read
    title, names, caption, others = map(_field, _texts_by_field(description))
    return title, names, caption, others, path, read


def texts_of(description: Description, paths: Sequence[str], lines: Sequence[str] = ()) -> list[str]:
    """Return all that is written about a picture, and that was read in it, in the order of `FIELDS`."""
    return [text for some in (*_texts_by_field(description), paths, lines) for text in some if text]


def _texts_by_field(each: Description) -> list[Sequence[str | None]]:
    """Return the texts of a description for each of `WRITING` but the last."""
    others = [each.creator, each.location, each.city, each.region, each.country]
    return [[each.title], [*each.keywords, *each.people], [each.caption], others]


def without_suffix(path: str) -> str:
    """Return a path without the suffix of the file, which is not what it is called."""
    start, dot, suffix = path.rpartition(".")
    return start if dot and start and "/" not in suffix and len(suffix) <= _MOST_SUFFIX else path


_MOST_SUFFIX = 5


def _path_words(path: str) -> str:
    folder, _, name = without_suffix(path).rpartition("/")
    return f"{_folder_words(folder)}{fold_words(name)} "


@lru_cache(1 << 12)
def _folder_words(folder: str) -> str:
    words = fold_words(folder)
    return f" {words} " if words else " "


def _field(texts: Iterable[str | None]) -> str:
    folded = [words for text in texts if text and (words := fold_words(text))]
    return BETWEEN.join(f" {words} " for words in folded)
