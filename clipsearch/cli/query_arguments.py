"""Arguments that are options and a query, whose words may begin with a sign: -path:x, -people."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from typer.core import TyperCommand


class QueryCommand(TyperCommand):
    """A command that takes for words whatever begins like an option and is none of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        takes_value = {
            name: not getattr(param, "is_flag", True)
            for param in self.get_params(ctx)
            for name in param.opts
            if name.startswith("-")
        }
        return super().parse_args(ctx, options_first(args, takes_value))


def options_first(arguments: Sequence[str], takes_value: Mapping[str, bool]) -> list[str]:
    """Options with their values, "--", and the words of the query in their order.

    Args:
        takes_value: by the names of the options.

    What looks like an option with a wrong name stays one, so that it is told: "--jsn", "-json", "-n".
    """
    options: list[str] = []
    words: list[str] = []
    left = list(reversed(arguments))
    while left:
        argument = left.pop()
        if argument == "--":
            words += reversed(left)
            break
        if not _is_option(argument, takes_value):
            words.append(argument)
            continue
        options.append(argument)
        if takes_value.get(argument, False):
            if not left:  # said by the parser
                return list(arguments)
            options.append(left.pop())
    return [*options, "--", *words]


def _is_option(argument: str, takes_value: Mapping[str, bool]) -> bool:
    if argument.startswith("--"):
        return argument.partition("=")[0] in takes_value or re.search(r'[\s:"]', argument) is None
    if not argument.startswith("-") or argument == "-":
        return False
    if len(argument) == 2 or f"-{argument}" in takes_value:
        return True
    # "-k5", and flags of one letter in a row.
    first, others = argument[:2], argument[2:]
    if first not in takes_value:
        return False
    return re.fullmatch("=?[0-9]+", others) is not None if takes_value[first] else _is_option(f"-{others}", takes_value)
