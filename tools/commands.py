"""The commands of `clipsearch --help`, for the pages that are written from them."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer.main

from clipsearch.cli.commands import make_app

# An option with the same help in at least this many commands stands once, at the top.
SHARED_BY = 5

Row = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Command:
    """A command that does something; `shared` are those of its options that stand at the top, by their long form."""

    words: str
    usage: str
    help: str
    arguments: list[Row]
    options: list[Row]
    shared: list[str]


def read_commands() -> tuple[list[Command], list[Row]]:
    """Return the commands in the order of `--help`, and the options that several of them share."""
    commands = leaf_commands(typer.main.get_command(make_app()))
    found = [(path, command, *rows_of(path, command)) for path, command in commands]
    uses = Counter(row for *_, options in found for row in options)
    shared = [row for row in uses if uses[row] >= SHARED_BY]
    return [
        Command(
            words=" ".join(path),
            usage=usage,
            help=command.help or "",
            arguments=arguments,
            options=[row for row in options if row not in shared],
            shared=[name.split(",")[-1].split()[0] for name, text in options if (name, text) in shared],
        )
        for path, command, usage, arguments, options in found
    ], shared


def leaf_commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(words, command) of every command that does something, in the order of `--help`."""
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from leaf_commands(below, (*path, name))
    else:
        yield path, command


def rows_of(path: tuple[str, ...], command: Any) -> tuple[str, list[Row], list[Row]]:
    """(usage, arguments, options) as `--help` gives them, without line breaks and without `--help` itself."""
    context = command.context_class(command, info_name=" ".join(("clipsearch", *path)))
    arguments: list[Row] = []
    options: list[Row] = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and "--help" not in parameter.opts:
            name, text = (" ".join(part.split()) for part in record)
            # Versions of typer differ in whether an argument's type follows its name.
            name = re.sub(r" <.*>$", "", name)
            (arguments if parameter.param_type_name == "argument" else options).append((name, text))
    usage = ("clipsearch", *path, *command.collect_usage_pieces(context))
    return " ".join(usage), arguments, options
