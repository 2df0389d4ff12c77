"""Read the pages of documentation: their sessions, code, commands and links."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from clipsearch.cli.commands import make_app
from tests.support import command_line

GENERATED = re.compile(r"<!-- commands: .*?<!-- end of commands -->", re.DOTALL)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

Session = list[tuple[str, str]]
"""(command, output) pairs of a console block."""


def read_pages(repository: Path) -> dict[str, str]:
    """The texts of README.md and of all pages, by path from the repository."""
    files = [repository / "README.md", *sorted((repository / "docs").rglob("*.md"))]
    return {file.relative_to(repository).as_posix(): file.read_text(encoding="utf-8") for file in files}


def sessions(text: str) -> list[Session]:
    found = []
    for language, block in _FENCE.findall(text):
        if language == "console":
            parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
            found.append([(command, output.strip()) for command, output in zip(parts[1::2], parts[2::2], strict=True)])
    return found


def find_session(pages: dict[str, str], part: str) -> Session:
    """The one session in whose commands `part` stands."""
    (session,) = [
        session
        for text in pages.values()
        for session in sessions(text)
        if any(part in command for command, _ in session)
    ]
    return session


def run(command: str, folder: Path, *, check: bool = True) -> command_line.Done:
    """Run a command of a session: in this process where it is one of clipsearch alone, else in a shell."""
    outside_quotes = re.sub(r"'[^']*'|\"[^\"]*\"", "", command)
    if not command.startswith("clipsearch ") or re.search(r"[|;&<>*?$]", outside_quotes):
        return run_in_shell(command, folder, check=check)
    return command_line.run(*shlex.split(command)[1:], code=0 if check else None, cwd=folder)


def run_in_shell(command: str, folder: Path, *, check: bool = True) -> command_line.Done:
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=check)


def without_times(text: str) -> str:
    # Only a slow or busy machine says so.
    text = re.sub(r"^.*calibrating the scores .*\n?", "", text, flags=re.MULTILINE).strip()
    text = re.sub(r"in [\d.]+ s(, [\d.,]+ a second)?", "in T", text)
    # Another processor may round the last digit otherwise.
    return re.sub(r"(\d+\.\d)\d* ?%|(0\.\d\d)\d", r"\1\2", text)


def without_names(text: str) -> str:
    """Checksums in names, sizes and times differ from machine to machine."""
    return without_times(re.sub(r"\b[0-9a-f]{16}\b|\d{8}-\d{6}|[\d.]+ K?B\b", "N", text))


def python_blocks(text: str) -> list[str]:
    return [block for language, block in _FENCE.findall(text) if language == "python"]


def code_of(text: str) -> tuple[list[str], list[str]]:
    """What is written as code: (blocks of commands, the spans between backticks in the text around)."""
    blocks = [block for language, block in _FENCE.findall(text) if language in {"console", "sh"}]
    around = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return blocks, [" ".join(span.replace("\\|", "|").split()) for span in around.split("`")[1::2]]


def command_tree() -> dict[str, Any]:
    """Every command that does something, by its words: {"index": …, "captions add": …}."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        below = getattr(command, "commands", None)
        if below is None:
            yield " ".join(words), command
        for name, each in (below or {}).items():
            yield from walk(each, (*words, name))

    return dict(walk(typer.main.get_command(make_app()), ()))


def groups() -> dict[str, set[str]]:
    """The first word of every command, with the words that may follow it: {"index": set(), "captions": {"add", …}}."""
    found: dict[str, set[str]] = {}
    for name in command_tree():
        first, _, below = name.partition(" ")
        found.setdefault(first, set()).update({below} if below else set())
    return found


def options_of(command: Any) -> set[str]:
    found = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return {option for option in found if option.startswith("-")} | {"--help", "-h"}


def written_commands(text: str) -> list[tuple[str, str]]:
    """(command, what follows it) of each `clipsearch COMMAND …` in code or single quotes, and of each span that begins
    with a command and goes on with an option. Commands of two words are both words, whether or not they exist."""
    known = groups()
    blocks, spans = code_of(text)
    lines = [line for block in blocks for line in block.splitlines()]
    found = []
    for code in (*lines, *spans, *re.findall(r"'(clipsearch [^']+)'", text)):
        for match in re.finditer(r"\bclipsearch ([a-z][\w-]*)(?: ([a-z][\w-]*))?([^|;#&]*)", code):
            first, second, rest = match[1], match[2] or "", match[3]
            if known.get(first) and second:
                found.append((f"{first} {second}", rest))
            else:
                found.append((first, f"{second} {rest}"))
    for span in spans:
        first, _, rest = span.partition(" ")
        if known.get(first) and re.match(r"[a-z]", rest):
            second, _, rest = rest.partition(" ")
            found.append((f"{first} {second}", rest))
        elif first in known and not known[first] and "-" in rest:
            found.append((first, rest))
    return found


def written_options(rest: str) -> list[str]:
    """The options among the arguments of a command; what stands in quotes is none."""
    try:
        words = shlex.split(rest, posix=False)
    except ValueError:
        words = rest.split()
    bare = [re.sub(r"[\]\[,.]|=.*", "", word) for word in words if not re.search(r"""["']""", word)]
    return [word for word in bare if re.fullmatch(r"--[a-z][\w-]*|-[A-Za-z0-9]", word)]


def wrong_commands(text: str) -> list[str]:
    """What the text calls a command, or an option of one, and is none."""
    tree, known = command_tree(), groups()
    wrong = []
    for command, rest in written_commands(text):
        if command not in tree:
            wrong += [] if known.get(command) or command == "help" else [command]
        else:
            wrong += [f"{command} {each}" for each in written_options(rest) if each not in options_of(tree[command])]
    # The second word of a command is not one by itself; "path" is also a field of JSON.
    _, spans = code_of(text)
    return wrong + [span for span in spans if span in set().union(*known.values()) - {*known, "path"}]


def slug(heading: str) -> str:
    """The anchor of a heading."""
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
    return kept.strip().replace(" ", "-")


def anchors(text: str) -> set[str]:
    around = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", around, re.MULTILINE)}


def links(text: str) -> list[str]:
    """Targets of links and pictures, but those on the web."""
    around = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\]\(([^)\s]+)\)", around) + re.findall(r'<(?:img|a)\b[^>]*(?:src|href)="([^"]+)"', around)
    return [target for target in found if not re.match(r"https?:", target)]
