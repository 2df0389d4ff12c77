"""Take a command line without a command as a query, as in `clipsearch "a cat"`."""

import re
import shlex
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from clipsearch.cli.commands import COMMAND_NAMES, ROOT_OPTIONS, make_app
from clipsearch.cli.query_arguments import options_first, options_of
from clipsearch.errors import InputError

# Similarity of a word to the name of a command from which it may be a typing error; one letter of four.
_CLOSE = 0.75


def with_query(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Insert "query" before arguments that begin with no command.

    Returns:
        The arguments, and whether "query" was inserted.

    Raises:
        InputError: the first word is no command, but close to one.
    """
    first = arguments[0] if arguments else ""
    if not arguments or first in COMMAND_NAMES or first.partition("=")[0] in ROOT_OPTIONS:
        return list(arguments), False
    words = [first]
    if first.startswith("-"):
        takes_value = _query_options()
        if first.partition("=")[0] not in takes_value and first[:2] not in takes_value:
            return list(arguments), False  # the parser knows options with a similar name
        ordered = options_first(arguments, takes_value)
        words = ordered[ordered.index("--") + 1 :] if "--" in ordered else []
    if words and words[0] in COMMAND_NAMES:
        raise InputError(f"options go after the command: clipsearch {words[0]} {first}")
    _check_word(words, shlex.join(arguments))
    return ["query", *arguments], True


def _check_word(words: Sequence[str], command_line: str) -> None:
    """Check that the first word of a query is no mistyped command; quoted words with a blank are none.

    Raises:
        InputError: it is close to one.
    """
    if not words or re.fullmatch(r"[A-Za-z-]+", words[0]) is None:
        return
    close = get_close_matches(words[0].lower(), COMMAND_NAMES, cutoff=_CLOSE)
    if close:
        raise InputError(
            f"no command {words[0]!r}: did you mean {' or '.join(map(repr, close))}? To search for it: "
            f"clipsearch query {command_line}"
        )


def _query_options() -> dict[str, bool]:
    import typer.main

    group: Any = typer.main.get_command(make_app(["query"]))
    return options_of(group.commands["query"])
