"""Complete the values of options and arguments in a shell: names of the catalog, filters of queries.

Typer completes commands, options and fixed choices by itself. Nothing here loads a model or opens the catalog, and
whatever fails completes nothing: an error would be printed into the user's command line.
"""

import os
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clipsearch import configuration, paths, settings

if TYPE_CHECKING:
    from clipsearch.store.names import NameKind

# Of the program `clipsearch`, as typer's scripts for shells set it.
_VARIABLE = "_CLIPSEARCH_COMPLETE"

_QUOTES = re.compile('["“”]')

# Values that mean nothing to PowerShell.
_SAFE = re.compile(r"[\w:./-]+|-?@[\w-]+")


@dataclass(frozen=True, slots=True)
class Completion:
    """What a word is completed to, in the shape that typer prints."""

    value: str
    help: str | None = None
    type: str = "plain"


def is_completing() -> bool:
    """Return whether a shell has started the program to complete a command line."""
    return _VARIABLE in os.environ


def command_words() -> list[str]:
    """Return the words that the shell completes, without the program's name; empty where they can't be split."""
    if "COMP_WORDS" in os.environ:  # bash
        return os.environ["COMP_WORDS"].split("\n")[1:]
    with suppress(ValueError):
        return shlex.split(os.environ.get("_TYPER_COMPLETE_ARGS", ""))[1:]
    return []


def add_completion(parameters: Iterable[Any]) -> None:
    """Have parameters complete their values, by their names and metavars."""
    for parameter in parameters:
        find = _COMPLETERS.get((parameter.name, parameter.metavar))
        if find is not None:
            parameter.shell_complete = _Completer(find, is_query=find is _find_query_words).complete


class _Completer:
    def __init__(self, find: Callable[[Any, str], Sequence[Completion]], *, is_query: bool) -> None:
        self._find = find
        self._is_query = is_query

    def complete(self, context: Any, incomplete: str) -> list[Completion]:
        before = _before_colon() if self._is_query else ""
        typed = before + incomplete.removeprefix(":") if before else incomplete
        with suppress(Exception):
            found = [each for each in self._find(context, typed) if _is_begun(each.value, typed)]
            quoted = [(quote_for_shell(each.value.removeprefix(before)), each.help) for each in found]
            return [Completion(value, text) for value, text in quoted if value is not None]
        return []


def _is_begun(value: str, typed: str) -> bool:
    """Return whether a value begins with what was typed, where the quotes of a query may be missing."""
    return value.startswith(typed) or _QUOTES.sub("", value).startswith(_QUOTES.sub("", typed))


def quote_for_shell(value: str) -> str | None:
    """Return a value as the shell takes it into the command line; None: it can't be written safely.

    Names come from whoever made the catalog, and bash and PowerShell run what "$(...)" in a command line names.
    """
    shell = os.environ.get(_VARIABLE, "").removeprefix("complete_")
    if not value.isprintable():
        return None
    match shell:
        case "bash":
            return _quote_for_bash(value)
        case "zsh":  # quotes by itself, but typer's script does not keep these
            return None if re.search(r"""["'\\]""", value) else value
        case "powershell" | "pwsh":
            return value if _SAFE.fullmatch(value) else "'" + re.sub("(['‘’‚‛])", r"\1\1", value) + "'"
        case _:  # fish quotes by itself
            return value


def _quote_for_bash(value: str) -> str | None:
    """Quote a value for bash, which replaces what follows an opening quote, else the whole word."""
    if re.search(r"[*?[]", value):  # typer's script has bash expand them to names of files
        return None
    words, position = os.environ.get("COMP_WORDS", "").split("\n"), os.environ.get("COMP_CWORD", "")
    word = words[int(position)] if position.isdecimal() and int(position) < len(words) else ""
    quote, rest = (word[0], word[1:]) if word[:1] in ("'", '"') else ("", word)
    if re.search(r"""(?<!\\)["']""", rest):  # quotes within the word
        return None
    if quote == "'":
        return value.replace("'", r"'\''")
    if quote:
        return None if "!" in value else re.sub(r'([\\"$`])', r"\\\1", value)
    return re.sub(r"([^\w@%+=:,./-])", r"\\\1", value)


def _before_colon() -> str:
    """Return "tag:" when bash completes what follows it: a colon divides words there."""
    words, position = os.environ.get("COMP_WORDS", "").split("\n"), os.environ.get("COMP_CWORD", "")
    if not position.isdecimal():
        return ""
    last = int(position)
    for colon in (last, last - 1):
        if 1 < colon < len(words) and words[colon] == ":":
            return words[colon - 1] + ":"
    return ""


def _find_query_words(context: Any, typed: str) -> list[Completion]:
    from clipsearch.query.filters import CHOICES, EXAMPLES

    sign, word = ("-", typed[1:]) if typed.startswith("-") else ("", typed)
    if word.startswith("@"):
        names = [*_names(context, "concepts"), *_names(context, "saved_searches")]
        return [Completion(f"{sign}@{name}") for name in names]
    key, colon, _ = word.partition(":")
    if colon and key.lower() == "album":
        return [Completion(f"{sign}{key}:{_value_of(name)}") for name in _names(context, "albums")]
    if colon:
        return [Completion(f"{sign}{key}:{choice}") for choice in CHOICES.get(key.lower(), ())]
    if not word:  # files are completed by the shell
        return []
    return [Completion(f"{sign}{key}:", EXAMPLES.get(key)) for key in (*EXAMPLES, "is")]


def _value_of(name: str) -> str:
    """Return a name as the value of a filter; in zsh, which loses straight quotes, between curly ones."""
    from clipsearch.query.filters import Filter, Pattern

    value = str(Filter("album", Pattern(name))).removeprefix("album:")
    is_zsh = os.environ[_VARIABLE] == "complete_zsh"
    return f"“{value[1:-1]}”" if is_zsh and value.startswith('"') and "”" not in value else value


def _find_label_sets(context: Any, typed: str) -> list[Completion]:
    from clipsearch.data import BUILT_IN

    return _completions([*BUILT_IN, *_names(context, "label_sets")])


def _find_stored(kind: "NameKind") -> Callable[[Any, str], list[Completion]]:
    return lambda context, typed: _completions(_names(context, kind))


def _find_matches(context: Any, typed: str) -> list[Completion]:
    return _completions(f"@{name}" for name in _names(context, "saved_searches"))


def _find_models(context: Any, typed: str) -> list[Completion]:
    from clipsearch.encoders.hub.known_models import KNOWN_MODELS

    names = [settings.STARTER, *(known.name for known in KNOWN_MODELS), *_names(context, "models")]
    return _completions(dict.fromkeys(names))


def _find_names(context: Any, typed: str) -> list[Completion]:
    """Find what NAME stands for in the commands of a group, as in `concept remove NAME`."""
    group = "" if context.parent is None else context.parent.info_name
    find = {
        "labels": _find_label_sets,
        "concept": _find_stored("concepts"),
        "saved": _find_stored("saved_searches"),
        **dict.fromkeys(("album", "albums"), _find_stored("albums")),
        "model": _find_models,
    }.get(group)
    return [] if find is None else find(context, typed)


def _fixed(*names: str) -> Callable[[Any, str], list[Completion]]:
    return lambda context, typed: _completions(names)


def _names(context: Any, kind: "NameKind") -> list[str]:
    """Return names in the catalog that --catalog names so far, or the configured one; none in one on a server."""
    from clipsearch.store.names import list_names

    place = paths.catalog_place(context.params.get("catalog"))
    return [] if place.server is not None else list_names(place.directory, kind)


def _completions(names: Iterable[str]) -> list[Completion]:
    return [Completion(name) for name in names]


# (name of the parameter, its metavar) → what completes it.
_COMPLETERS: dict[tuple[str, str | None], Callable[[Any, str], Sequence[Completion]]] = {
    ("query_words", "QUERY..."): _find_query_words,
    ("labels", "NAME"): _find_label_sets,
    ("model", "NAME"): _find_models,
    ("name", "NAME"): _find_names,
    ("name", "[NAME]"): _find_names,
    ("matches", "@NAME"): _find_matches,
    ("device", "NAME"): _fixed("cpu", "cuda", "mps"),
    ("runtime", "NAME"): _fixed(*settings.RUNTIMES),
    ("precision", "NAME"): _fixed(*settings.PRECISIONS),
    ("key", "KEY"): _fixed(*configuration.VARIABLES),
}
