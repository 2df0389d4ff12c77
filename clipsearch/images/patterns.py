"""Build and check gitignore patterns as text: of a folder, and relative to a larger folder."""

import re
from urllib.parse import unquote

from clipsearch.errors import InputError

_SPECIAL = "\\*?["
# Bytes that are not UTF-8 are surrogates from U+DC80 on, see `os.fsdecode`.
_PRIVATE = {0xDC80 + byte: 0xF780 + byte for byte in range(0x80)} | {ord("\n"): 0xF70A}


def plain_path(root: str, relative_path: str) -> str:
    """Return a path below a folder or URL as a user would write it: names on a web server are escaped."""
    return unquote(relative_path) if root.startswith(("http://", "https://")) else relative_path


def folder_pattern(relative_path: str) -> str:
    """Return the pattern of one folder, a path relative to the root, with wildcards in its name escaped."""
    return f"/{_escaped(relative_path)}/"


def pattern_below(pattern: str, folder: str) -> str:
    """Rewrite a pattern of a folder for the root above it; `folder` is relative to the root, "" for the root itself."""
    if not folder:
        return pattern
    sign, body = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    # Source: git, gitignore(5): a slash at the beginning or in the middle ties a pattern to its folder.
    between = "/" if "/" in body.rstrip("/") else "/**/"
    return f"{sign}/{_escaped(folder)}{between}{body.removeprefix('/')}"


def is_pattern_below(pattern: str, folder: str) -> bool:
    """Return whether a pattern of a root, as `pattern_below` makes it, applies below a folder."""
    return not folder or pattern.removeprefix("!").startswith(folder_pattern(folder))


def check_pattern(pattern: str, folder: str) -> str:
    """Validate a user's pattern, and return it as it is stored: one line of text.

    Raises:
        InputError: it is not a pattern, or no path can match it; `folder` is what paths are relative to.
    """
    body = pattern.removeprefix("!")
    if not body.strip("/ \t") or pattern.startswith("#") or "\n" in pattern or "\0" in pattern:
        raise InputError(f"invalid exclude pattern {pattern!r}: write one as in .gitignore")
    inside = body.removeprefix(folder.rstrip("/") + "/")
    if inside != body or body == folder:
        raise InputError(f"{pattern}: patterns are relative to {folder}; write '/{inside if inside != body else '*'}'")
    if body.startswith(("./", "../")) or "/../" in body or "/./" in body or body in (".", ".."):
        shown = body.removeprefix("./")
        hint = f"; write '/{shown}'" if shown != body and ".." not in shown else ""
        raise InputError(f"{pattern}: patterns are relative to {folder}, without '.' and '..'{hint}")
    if _has_open_bracket(body):
        raise InputError(
            f"{pattern}: the bracket is not closed, so no name can match; write '\\[' for a bracket itself"
        )
    return as_text(pattern)


def _has_open_bracket(pattern: str) -> bool:
    """Return whether a class such as [a-c] has no end. Source: git, wildmatch.c: a "]" that comes first is literal."""
    outside = re.sub(r"\\.|\[[!^]?+\]?+(?:\\.|[^\]\\])*+\]", "", pattern, flags=re.DOTALL)
    return "[" in outside


def as_text(path: str) -> str:
    """Encode a path or pattern as one line of valid text.

    Each byte that is not UTF-8, and a line feed, becomes a character of its own in Unicode's private use area.
    """
    return path if path.isascii() and "\n" not in path else path.translate(_PRIVATE)


def _escaped(path: str) -> str:
    escaped = "".join(f"\\{character}" if character in _SPECIAL else character for character in path)
    return as_text(f"\\{escaped}" if escaped.startswith(("!", "#")) else escaped)
