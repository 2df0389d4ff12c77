"""Parse and apply `.clipsearchignore` files: gitignore syntax, in any folder.

As in git: the last line that matches decides, a file in a deeper folder overrides one above it, `!` re-includes, and
nothing below an ignored folder can be re-included.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from clipsearch.errors import InputError
from clipsearch.files import byte_order_mark, read_regular_file

IGNORE_FILE = ".clipsearchignore"

_FOLDERS_BELOW = re.compile(r"/\*\*/\s*$")  # "a/**/" is every folder below a; pathspec takes it for a itself

# Ignore files are untrusted, since they come with a folder from anywhere; a larger one is a mistake or an attack.
MAX_IGNORE_BYTES = 1_000_000
_MAX_LINE = 4_096  # the longest path
# Limits per folder. A name without wildcards is a dictionary lookup; a wildcard costs 0.1 ms once and 0.2 µs a path.
_MAX_NAMES = 100_000
_MAX_WILDCARDS = 2_000
# Limits per walk, some seconds' worth.
_MAX_LINES_OF_WALK = 5_000_000
_MAX_WILDCARDS_OF_WALK = 40_000

_NO_LINE = (-1, False)
# "!", "/", and a path without special characters; not a comment, and no blank at either end.
_PLAIN = re.compile(r"(!?)(/?)((?![#!\s])(?:[^*?\[\]\\/\s]|[ ](?=\S)|/(?=[^/ ]|$))+)")

# Parts of pathspec's regular expressions: "*", a class such as [a-c], and the text between two "*" or two "**".
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
        """Return whether the pattern matches this very path.

        pathspec matches files only, and a pattern for a folder matches all files below it: then, and for patterns that
        end in "/", a group marks the slash after the folder. Here the folders above the path were checked before, so
        only a match of the path itself counts.
        """
        match = self.regex.search(path)
        if match is not None and match.lastgroup is None:
            return True
        return is_folder and any(
            match.lastgroup is not None and match.end() == len(path) + 1 for match in self.regex.finditer(f"{path}/")
        )


@dataclass(slots=True)
class _Effort:
    """Cost of the ignore files of one walk so far.

    Attributes:
        compiled: cache of line → pattern; the same lines are often repeated in many folders.
    """

    lines: int = 0
    wildcards: int = 0
    compiled: dict[str, _Pattern | None] = field(default_factory=dict)

    def compile(self, line: str) -> _Pattern | None:
        """Compile a line to a pattern, cached; None for a comment or a blank line.

        Raises:
            InputError: the walk's limit of wildcards is exceeded, or the line is not a pattern.
        """
        if line not in self.compiled:
            self.wildcards += _count_wildcards(line)
            if self.wildcards > _MAX_WILDCARDS_OF_WALK:
                raise InputError(f"the ignore files hold more than {_MAX_WILDCARDS_OF_WALK:,} wildcards together")
            self.compiled[line] = _compile(line)
        return self.compiled[line]


@dataclass(frozen=True, slots=True)
class _FolderRules:
    """The lines of one ignore file. Names without wildcards are in dictionaries: there may be many.

    Attributes:
        start: length of the folder's path, including the trailing slash.
        names, paths: of files and folders, and with a trailing slash of folders only → (line, whether it ignores).
        patterns: (line, pattern) in order.
        wildcards: number of wildcards in the patterns.
    """

    start: int
    names: Mapping[str, tuple[int, bool]]
    paths: Mapping[str, tuple[int, bool]]
    patterns: tuple[tuple[int, _Pattern], ...]
    wildcards: int

    def decide(self, path: str, *, is_folder: bool) -> bool | None:
        """Return whether the last matching line ignores the path; None where no line matches."""
        name = path[path.rfind("/") + 1 :]
        last = max(self.names.get(name, _NO_LINE), self.paths.get(path, _NO_LINE))
        if is_folder:
            last = max(last, self.names.get(f"{name}/", _NO_LINE), self.paths.get(f"{path}/", _NO_LINE))
        for number, pattern in reversed(self.patterns):
            if number < last[0]:
                break
            if pattern.matches(path, is_folder=is_folder):
                return pattern.ignores
        return last[1] if last[0] >= 0 else None


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The patterns that apply in one folder: its own and those of all folders above it, deepest last."""

    folders: tuple[_FolderRules, ...] = ()
    effort: _Effort = field(default_factory=_Effort, compare=False, repr=False)

    def with_folder(self, folder: str, lines: Sequence[str]) -> "IgnoreRules":
        """Return the rules inside a folder (relative path, "" for the root) with an ignore file of its own.

        Raises:
            InputError: a line can't be parsed, or there are too many; the message does not include the path.
        """
        self.effort.lines += len(lines)
        if self.effort.lines > _MAX_LINES_OF_WALK:
            raise InputError(f"the ignore files hold more than {_MAX_LINES_OF_WALK:,} lines together")
        above = sum(rules.wildcards for rules in self.folders)
        names: dict[str, tuple[int, bool]] = {}
        paths: dict[str, tuple[int, bool]] = {}
        patterns: list[tuple[int, _Pattern]] = []
        wildcards = 0
        for number, line in enumerate(lines):
            if line.startswith("#") or not line.strip(" "):
                continue
            if plain := _PLAIN.fullmatch(line):
                sign, slash, name = plain.groups()
                is_path = slash or "/" in name[:-1]
                (paths if is_path else names)[name] = (number, not sign)
                continue
            wildcards += _count_wildcards(line)
            if above + wildcards > _MAX_WILDCARDS:
                and_above = ", with those in folders above" if above else ""
                raise InputError(f"it holds more than {_MAX_WILDCARDS:,} wildcards{and_above}")
            try:
                pattern = self.effort.compile(line)
            except (ValueError, re.error) as error:
                raise InputError(f"line {number + 1} is not a pattern: {line.strip()[:80]}") from error
            if pattern is not None:
                patterns.append((number, pattern))
        named = len(names) + len(paths) + sum(len(rules.names) + len(rules.paths) for rules in self.folders)
        if named > _MAX_NAMES:
            raise InputError(f"it holds more than {_MAX_NAMES:,} names, with those in folders above")
        start = len(folder) + 1 if folder else 0
        return IgnoreRules((*self.folders, _FolderRules(start, names, paths, tuple(patterns), wildcards)), self.effort)

    def ignore(self, relative_path: str, *, is_folder: bool) -> bool:
        """Return whether a path is ignored, provided that the folders above it are not."""
        for rules in reversed(self.folders):
            # A newline in a name would end the name for the regular expressions.
            path = relative_path[rules.start :].replace("\n", "\ufffd")
            verdict = rules.decide(path, is_folder=is_folder)
            if verdict is not None:
                return verdict
        return False


def read_ignore_file(path: Path) -> list[str]:
    """Read the lines of an ignore file, for `IgnoreRules.with_folder`.

    UTF-16 with a byte order mark is decoded; otherwise bytes that are not UTF-8 are kept, as in `os.fsdecode`.

    Raises:
        OSError: it can't be read, is not a regular file, or is too large.
        InputError: a line is too long, or the text is not in the encoding of its byte order mark; the message does
            not include the path.
    """
    content = read_regular_file(path, max_bytes=MAX_IGNORE_BYTES)
    mark, encoding = byte_order_mark(content)
    try:
        # Notepad and PowerShell write UTF-16.
        errors = "surrogateescape" if encoding in ("", "utf-8") else "strict"
        text = content.removeprefix(mark).decode(encoding or "utf-8", errors)
    except UnicodeError as error:
        raise InputError(f"it has the byte order mark of {encoding.upper()}, but is not in that encoding") from error
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if len(line) > _MAX_LINE:
            raise InputError(f"line {number} is longer than {_MAX_LINE:,} characters")
    return [line.rstrip("\r") for line in lines]


def _count_wildcards(line: str) -> int:
    """Return the cost of a pattern: one, and one for each wildcard."""
    return 1 + sum(line.count(each) for each in "*?[")


def _compile(line: str) -> _Pattern | None:
    for pattern in GitIgnoreSpec.from_lines([_FOLDERS_BELOW.sub("/**/*/", line)]).patterns:
        if pattern.regex is not None and pattern.include is not None:
            return _Pattern(_as_git(pattern.regex), pattern.include)
    return None


def _as_git(regex: re.Pattern[str]) -> re.Pattern[str]:
    """Correct two points in which pathspec differs from git, whichever of its backends matches.

    No class matches a slash, not even [!a]: pathspec compiles it to [^a], and does not split a pattern at a slash
    inside a class.

    Stars do not backtrack: trying all ways to split a name among five stars in one line takes minutes. The text between
    two stars is matched at its first occurrence, which leaves most to the second star. Of pathspec's backends only re2
    needs no such bound, but it is another package and has no lookahead to exclude the slash.
    """
    text = _STARS.sub("[^/]*", regex.pattern)
    text = _BETWEEN_STARS.sub(r"(?>[^/]*?\1)", text)
    text = _BETWEEN_DOUBLE_STARS.sub(r"(?>(?:/.+?)??\1(?=/))", text)
    text = _ESCAPE_OR_CLASS.sub(lambda found: found[1] or f"(?!/){found[2]}", text)
    return re.compile(text, regex.flags)
