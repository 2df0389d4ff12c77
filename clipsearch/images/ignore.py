"""`.clipsearchignore`: what the user wants left out, in the syntax of gitignore, in any folder.

As in git: the last line that matches decides, a file in a deeper folder decides before one above it, `!` takes back,
and nothing below a folder that is left out can be taken back.
"""

import re
import stat
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from clipsearch.errors import InputError

IGNORE_FILE = ".clipsearchignore"

_FOLDERS_BELOW = re.compile(r"/\*\*/\s*$")  # "a/**/" is every folder below a; pathspec takes it for a itself
_MAX_SIZE_BYTES = 1_000_000  # more can only be a mistake

# Parts of pathspec's regular expressions: "*", a class such as [a-c], and what stands between two "*" or two "**".
_STARS = re.compile(r"(?:\[\^/\]\*)+")
_CLASS = r"\[(?!\^/\])\^?\]?(?:\\.|[^\]\\])*\]"
_BETWEEN_STARS = re.compile(rf"\[\^/\]\*((?:\[\^/\](?!\*)|{_CLASS}|\\.|[^/\[\]()\\])+)(?=\[\^/\]\*)", re.DOTALL)
_BETWEEN_DOUBLE_STARS = re.compile(r"\(\?:/\.\+\)\?(/(?:(?!\(\?:/\.\+\)\?).)+)(?=\(\?:/\.\+\)\?/)", re.DOTALL)
_ESCAPE_OR_CLASS = re.compile(rf"(\\.)|({_CLASS})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Pattern:
    regex: re.Pattern[str]
    ignores: bool  # False for a line with "!"

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Whether the pattern names this very path.

        pathspec matches files only, and a pattern for a folder matches all files below it: then, and for patterns that
        end in "/", a group marks the slash after the folder. Here every folder on the way has been asked before, so
        only a match of the path itself counts.
        """
        match = self.regex.search(path)
        if match is not None and match.lastgroup is None:
            return True
        return is_folder and any(
            match.lastgroup is not None and match.end() == len(path) + 1 for match in self.regex.finditer(f"{path}/")
        )


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The patterns that hold in one folder: its own and those of all folders above it, deepest last."""

    folders: tuple[tuple[int, tuple[_Pattern, ...]], ...] = ()  # (length of the folder's path, its patterns)

    def with_folder(self, folder: str, patterns: tuple[_Pattern, ...]) -> "IgnoreRules":
        """The rules inside a folder (relative path, "" for the root) with an ignore file of its own."""
        return IgnoreRules((*self.folders, (len(folder) + 1 if folder else 0, patterns)))

    def ignore(self, relative_path: str, *, is_folder: bool) -> bool:
        """Whether a path is left out, provided that the folders above it are not."""
        for start, patterns in reversed(self.folders):
            # A newline in a name would end the name for the patterns' regular expressions.
            path = relative_path[start:].replace("\n", "\ufffd")
            for pattern in reversed(patterns):
                if pattern.matches(path, is_folder=is_folder):
                    return pattern.ignores
        return False


def read_ignore_file(path: Path) -> tuple[_Pattern, ...]:
    """Reads an ignore file; bytes that are not UTF-8 are kept, as in `os.fsdecode`.

    Raises:
        OSError: it can't be read.
        InputError: it is no regular file, far too long, or a line can't be understood; the text has no path.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InputError("it is not a file")
    if status.st_size > _MAX_SIZE_BYTES:
        raise InputError(f"it is longer than {_MAX_SIZE_BYTES} bytes")
    return parse_patterns(path.read_bytes().decode("utf-8", "surrogateescape").removeprefix("\ufeff"))


def parse_patterns(text: str) -> tuple[_Pattern, ...]:
    """One a line.

    Raises:
        InputError: a line can't be understood.
    """
    patterns = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            spec = GitIgnoreSpec.from_lines([_FOLDERS_BELOW.sub("/**/*/", line.rstrip("\r"))])
        except (ValueError, re.error) as error:
            raise InputError(f"line {number} is not a pattern: {line.strip()}") from error
        patterns += [
            _Pattern(_as_git(pattern.regex), pattern.include)
            for pattern in spec.patterns
            if pattern.regex is not None and pattern.include is not None
        ]
    return tuple(patterns)


def _as_git(regex: re.Pattern[str]) -> re.Pattern[str]:
    """Two things that git does and pathspec does not.

    No class matches a slash, not even [!a].

    And not all ways are tried to share a name out among several stars: with eight of them in one line that would take
    days, and an ignore file may come with a folder from anywhere. What stands between two stars is taken where it
    comes first, which leaves most to the second one.
    """
    text = _STARS.sub("[^/]*", regex.pattern)
    text = _BETWEEN_STARS.sub(r"(?>[^/]*?\1)", text)
    text = _BETWEEN_DOUBLE_STARS.sub(r"(?>(?:/.+?)??\1(?=/))", text)
    text = _ESCAPE_OR_CLASS.sub(lambda found: found[1] or f"(?!/){found[2]}", text)
    return re.compile(text, regex.flags)
