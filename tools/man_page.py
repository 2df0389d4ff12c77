"""Write the manual page clipsearch(1) from the commands, and from the tables of docs/cli.md."""

import re

from clipsearch.version import __version__
from tools.commands import Row, read_commands

DESCRIPTION = (
    "Finds pictures on this machine by describing them, finds pictures that look like a picture, and turns pictures "
    "into words. A catalog holds what is known of the pictures; nothing leaves the machine.",
    "Documentation in full comes with the sources, in docs/.",
)


def man_page(page: str) -> str:
    """Return the manual page in roff.

    Args:
        page: docs/cli.md, which has the exit codes and environment variables.
    """
    commands, shared = read_commands()
    lines = [
        '.\\" Written by tools/docs_cli.py',
        f'.TH CLIPSEARCH 1 "" "clipsearch {__version__}" "User Commands"',
        ".SH NAME",
        "clipsearch \\- search pictures by words or pictures, and caption pictures",
        ".SH SYNOPSIS",
        ".B clipsearch",
        "COMMAND [OPTIONS] [ARGUMENTS]",
        ".br",
        ".B clipsearch",
        "COMMAND \\-\\-help",
        ".SH DESCRIPTION",
        *paragraphs(DESCRIPTION),
        ".SH OPTIONS OF SEVERAL COMMANDS",
        *rows(shared),
        ".SH COMMANDS",
    ]
    for command in commands:
        lines += [
            f".SS {escape(command.words)}",
            escape(command.usage),
            *paragraphs(command.help.split("\n\n"), start=".PP"),
            *rows(command.arguments + command.options),
        ]
        if command.shared:
            lines += [".PP", f"Also {escape(', '.join(command.shared))}."]
    lines += [".SH ENVIRONMENT", *rows(table_rows(page, "Environment variables"))]
    lines += [".SH EXIT STATUS", *rows(table_rows(page, "Exit codes"))]
    return "\n".join(lines) + "\n"


def rows(named: list[Row]) -> list[str]:
    return [line for name, text in named for line in (".TP", f"\\fB{escape(name)}\\fR", escape(text))]


def paragraphs(texts: tuple[str, ...] | list[str], *, start: str = "") -> list[str]:
    lines: list[str] = []
    for text in texts:
        mark = ".PP" if lines else start
        lines += [*([mark] if mark else []), escape(" ".join(text.split()))]
    return lines


def table_rows(page: str, heading: str) -> list[Row]:
    """The rows of the table below a heading of a page, as plain text."""
    section = re.search(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^\| (.+?) \| (.+?) \|$", section[1] if section else "", re.MULTILINE)[1:]
    if not found:
        raise SystemExit(f"docs/cli.md has no table below {heading}")
    return [(plain(name), plain(text)) for name, text in found]


def plain(markdown: str) -> str:
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown).replace("`", "")


def escape(text: str) -> str:
    """Return text that roff prints unchanged: no request at its start, hyphens and quotes that can be copied."""
    for character, name in {"\\": "\\e", "-": "\\-", "'": "\\(aq", "^": "\\(ha", "~": "\\(ti", "`": "\\(ga"}.items():
        text = text.replace(character, name)
    text = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in text)
    return f"\\&{text}" if text.startswith(".") else text
