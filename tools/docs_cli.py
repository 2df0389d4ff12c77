"""Write the commands of `clipsearch --help` into docs/cli.md.

    python tools/docs_cli.py [--check]

Replaces what stands between the two marks. `--check` changes nothing and exits with 1 when the page is stale.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from clipsearch.cli.commands import make_app

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
BEGIN = "<!-- commands: written by tools/docs_cli.py -->"
END = "<!-- end of commands -->"

# An option with the same help in at least this many commands stands once, at the top.
SHARED_BY = 5

Row = tuple[str, str]


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


def table(heading: str, rows: list[Row]) -> str:
    lines = [f"| {heading} | |", "|---|---|"]
    # A bar ends a cell, also within code.
    lines += [f"| `{escape(name)}` | {escape(text)} |" for name, text in rows]
    return "\n".join(lines)


def escape(text: str) -> str:
    return text.replace("|", "\\|")


def paragraphs(text: str) -> str:
    parts = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n\n".join(f"`{part}`" if part.startswith("clipsearch ") else part for part in parts)


def commands_text() -> str:
    commands = leaf_commands(typer.main.get_command(make_app()))
    found = [(path, command, *rows_of(path, command)) for path, command in commands]
    uses = Counter(row for *_, options in found for row in options)
    shared = [row for row in uses if uses[row] >= SHARED_BY]
    parts = ["### Options of several commands", table("option", shared)]
    for path, command, usage, arguments, options in found:
        parts += [f"### {' '.join(path)}", paragraphs(command.help or ""), f"```text\n{usage}\n```"]
        parts += [table("argument", arguments)] if arguments else []
        own = [row for row in options if row not in shared]
        parts += [table("option", own)] if own else []
        also = [name.split(",")[-1].split()[0] for name, text in options if (name, text) in shared]
        parts += ["Also " + ", ".join(f"`{name}`" for name in also) + "."] if also else []
    return "\n\n".join(parts)


def page_text(page: str) -> str:
    """The page with its commands brought up to date."""
    before, mark, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise SystemExit(f"{PAGE} lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{commands_text()}\n\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when the page is stale")
    is_check = parser.parse_args().check
    page = PAGE.read_text(encoding="utf-8")
    new = page_text(page)
    if new != page and is_check:
        print(f"{PAGE.name} is stale: python tools/docs_cli.py", file=sys.stderr)
        return 1
    if new != page:
        PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
