"""Find the names of picture files in a query, including names with blanks and signs."""

import re
from collections.abc import Callable
from typing import TypeAlias

from clipsearch.query.tokens import PATH, has_picture_suffix, without_fragment

IsFile: TypeAlias = Callable[[str], bool]
"""Predicate: whether a path, as the user wrote it, names an existing file."""

# Upper limits of the words and characters of a path, and the pattern of a file name's suffix.
_MOST_WORDS, _MOST_OF_A_PATH = 32, 4_096
_SUFFIX = re.compile(r"\.\w{1,9}$")


class FileNames:
    """Finder of the ends of file names in a query.

    Args:
        is_file: see `parsing.parse_query`.
    """

    def __init__(self, text: str, is_file: IsFile | None) -> None:
        self._text = text
        self._is_file = is_file

    def picture_end(self, begin: int, end: int, *, is_named: bool = False) -> int:
        """Return the end of a path that begins at `begin`: after its first word with the suffix of a picture.

        Args:
            end: end of the path's first word, returned when the token does not start a path.
            is_named: `image:` stands before it, so that any text is a path.
        """
        token = self._text[begin:end]
        if has_picture_suffix(token) or '"' in token or not (is_named or PATH.match(token)):
            return end
        for found in self._next_words(end):
            word = found[0]
            if word[0] in "+-&" or re.search(r'[:："“”„]', word) or PATH.match(word):
                break
            if has_picture_suffix(word):
                return found.end()
        return end

    def is_minus(self, position: int) -> bool:
        """Return whether the sign at `position` is an operator before a file name, not part of the name."""
        return self._text[position] in "+-&" and bool(self.file_end(position + 1))

    def file_end(self, begin: int) -> int:
        """Return the end of the longest file name that begins here; 0 when none does, or without `is_file`."""
        if self._is_file is None or begin >= len(self._text) or self._text[begin].isspace():
            return 0
        ends = [found.end() for found in self._next_words(begin)]
        is_path = ends and re.search(r"[/\\]", self._text[begin : ends[0]])
        for end in reversed(ends):
            name = self._text[begin:end]
            is_like_one = is_path or _SUFFIX.search(without_fragment(name))
            if len(name) < _MOST_OF_A_PATH and is_like_one and self._is_file(name):
                return end
        return 0

    def _next_words(self, position: int) -> list[re.Match[str]]:
        found: list[re.Match[str]] = []
        for word in re.compile(r"\S+").finditer(self._text, position):
            found.append(word)
            if len(found) == _MOST_WORDS:
                break
        return found
