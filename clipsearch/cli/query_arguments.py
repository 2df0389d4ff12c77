"""Separate options from query words, which may begin with a sign: -path:x, -people."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from clipsearch.cli.index import is_terminal
from clipsearch.cli.render import note, printable
from clipsearch.errors import QueryError

if TYPE_CHECKING:
    from clipsearch.query import Query

# path:"summer trip" after the shell has removed the quotes.
_SPLIT_VALUE = re.compile(r'(?P<name>-?(?:path|camera):)(?P<value>[^\s"“”„:]+(?:\s+[^\s"“”„:]+)+)', re.IGNORECASE)


class QueryCommand(TyperCommand):
    """Command that treats unknown arguments with a leading sign as words of the query."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, options_first(args, options_of(self, ctx)))


def options_of(command: Any, context: Any = None) -> dict[str, bool]:
    """Return option name → whether it takes a value, of a command; with those of every command in its context."""
    return {
        name: not getattr(param, "is_flag", True)
        for param in (command.params if context is None else command.get_params(context))
        for name in param.opts
        if name.startswith("-")
    }


def options_first(arguments: Sequence[str], takes_value: Mapping[str, bool]) -> list[str]:
    """Reorder arguments to options with their values, "--", and the words of the query in order.

    A likely misspelt option stays one, so that the parser reports it: "--jsn", "-json", "-n".

    Args:
        takes_value: option name → whether it takes a value.
    """
    options: list[str] = []
    words: list[str] = []
    remaining = list(reversed(arguments))
    while remaining:
        argument = remaining.pop()
        if argument == "--":
            words += reversed(remaining)
            break
        if not _is_option(argument, takes_value):
            words.append(argument)
            continue
        options.append(argument)
        if takes_value.get(argument, False):
            if not remaining:  # reported by the parser
                return list(arguments)
            options.append(remaining.pop())
    return [*options, "--", *words]


def read_query(arguments: Sequence[str]) -> "Query":
    """Parse the words of a query, in which a shell may have consumed quotes and signs.

    Raises:
        QueryError: invalid query; the message explains the quoting when that may be the cause.
    """
    from clipsearch.search.parsing import parse_local

    split = next((found for found in map(_SPLIT_VALUE.fullmatch, arguments) if found is not None), None)
    quotes = "" if split is None else f"the shell removes quotes: write '{split['name']}\"{split['value']}\"'"
    if split is not None and len(arguments) > 1:
        raise QueryError(f"{split[0]} is one argument without quotes in it: {quotes}")
    try:
        query = parse_local(" ".join(arguments))
    except QueryError as error:
        if any(argument.endswith(":") for argument in arguments):
            raise QueryError(f"{error}; the shell interprets > and <: put the query in quotes") from error
        if quotes:
            raise QueryError(f"{error}; {quotes}") from error
        raise
    if quotes and query.groups and is_terminal():
        note(f"clipsearch: parsed as: {printable(str(query))}; {printable(quotes)}")
    return query


def _is_option(argument: str, takes_value: Mapping[str, bool]) -> bool:
    if argument.startswith("--"):
        return argument.partition("=")[0] in takes_value or re.search(r'[\s:"]', argument) is None
    if not argument.startswith("-") or argument == "-":
        return False
    if len(argument) == 2 or f"-{argument}" in takes_value:
        return True
    # "-k5", and combined one-letter flags.
    first, others = argument[:2], argument[2:]
    if first not in takes_value:
        return False
    return re.fullmatch("=?[0-9]+", others) is not None if takes_value[first] else _is_option(f"-{others}", takes_value)
