"""Take a command line without a command as a query, as in `clipsearch "a cat"`."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from clipsearch.cli.commands import COMMAND_NAMES, LOG_OPTIONS, ROOT_OPTIONS, make_app
from clipsearch.cli.help_topics import TOPICS
from clipsearch.cli.query_arguments import options_first, options_of
from clipsearch.errors import InputError

# Similarity of a word to the name of a command from which it may be a typing error; one letter of four.
_CLOSE = 0.75

# Letters of `LOG_OPTIONS` together, before another one of a query or none: -qv, -qk3. "-queen" is an excluded word.
_COMBINED = re.compile("-([qv]+(?=[qvka0])[qv]?)(k[0-9]*|[a0])?")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Arguments in the order that the parser takes.

    Attributes:
        options: those of `LOG_OPTIONS`, which go first.
        words: the command and its arguments.
        is_plain: "query" was inserted.
        topic: what is not a command, and help is asked for; then there are no words.
        is_changed: the arguments are other ones than those given, or in another order.
    """

    options: list[str]
    words: list[str]
    is_plain: bool
    is_changed: bool
    topic: str | None = None

    @property
    def arguments(self) -> list[str]:
        """All of them."""
        return [*self.options, *self.words]


def read_command_line(arguments: Sequence[str]) -> CommandLine:
    """Put options of the program before the command, and "query" before arguments that begin with no command.

    Raises:
        InputError: the first word is no command, but close to one.
    """
    options, words = _split(arguments)
    if words[:1] == ["help"] and words[1:2] and words[1] in TOPICS:
        return CommandLine(options, [], is_plain=False, is_changed=True, topic=words[1])
    if words[:1] == ["help"]:
        words = _help_words(words[1:])
    is_plain = _is_query(words)
    if is_plain:
        words = ["query", *words]
    return CommandLine(options, words, is_plain, [*options, *words] != list(arguments))


def _help_words(words: Sequence[str]) -> list[str]:
    """Return "query --help" for the words after "help" in `clipsearch help query`.

    Raises:
        InputError: there is no such command.
    """
    if words and words[0] in ("help", "-h", "--help"):
        return ["--help"]
    if words and words[0] not in COMMAND_NAMES:
        _check_word(words, shlex.join(["help", *words]))
        raise InputError(f"no command {words[0]!r}: see clipsearch --help, or clipsearch help {TOPICS[0]}")
    return [*words, "--help"]


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the options of `LOG_OPTIONS` with their values, and all else; after "--" stand words.

    Raises:
        InputError: a value is missing.
    """
    options: list[str] = []
    words: list[str] = []
    remaining = list(reversed(arguments))
    while remaining:
        argument = remaining.pop()
        name, equals, value = argument.partition("=")
        if argument == "--":
            return options, [*words, argument, *reversed(remaining)]
        combined = _COMBINED.fullmatch(argument)
        if combined is not None:
            options += [f"-{letter}" for letter in combined[1]]
            words += [f"-{combined[2]}"] if combined[2] else []
            continue
        if name not in LOG_OPTIONS or (equals and not LOG_OPTIONS[name]):
            words.append(argument)
            continue
        if equals and not value:
            raise InputError(f"{name} takes a value")
        options.append(argument)
        if LOG_OPTIONS[name] and not equals:
            if not remaining:
                raise InputError(f"{name} takes a value")
            options.append(remaining.pop())
    return options, words


def _is_query(arguments: Sequence[str]) -> bool:
    """Return whether arguments are those of a query without its command.

    Raises:
        InputError: the first word is no command, but close to one.
    """
    first = arguments[0] if arguments else ""
    if not arguments or first in COMMAND_NAMES or first.partition("=")[0] in ROOT_OPTIONS:
        return False
    if first == "--":
        return len(arguments) > 1
    words = [first]
    if first.startswith("-"):
        takes_value = _query_options()
        if first.partition("=")[0] not in takes_value and first[:2] not in takes_value:
            return False  # the parser knows options with a similar name
        ordered = options_first(arguments, takes_value)
        words = ordered[ordered.index("--") + 1 :] if "--" in ordered else []
    if words and words[0] in COMMAND_NAMES:
        raise InputError(f"options go after the command: clipsearch {words[0]} {first}")
    _check_word(words, shlex.join(arguments))
    return True


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
