"""Every command and option stands in the documentation, and every one in it exists."""

import re
import subprocess
import sys

import pytest

from clipsearch.cli.commands import make_app
from tests.docs.pages import GENERATED, code_of, command_tree, options_of, slug, written_options, wrong_commands


def test_every_command_in_the_pages_exists(pages):
    assert {name: wrong for name, text in pages.items() if (wrong := wrong_commands(text))} == {}


def test_every_command_stands_in_the_pages(pages):
    # What is written by the script proves nothing.
    code = [code_of(GENERATED.sub("", text)) for text in pages.values()]
    written = "\n".join(each for blocks, spans in code for each in (*blocks, *spans))
    there = set(command_tree())
    assert {name for name in there if re.search(rf"(^|\bclipsearch ){name}\b", written, re.MULTILINE)} == there


def test_every_option_stands_with_its_command(pages):
    sections = {}
    for section in re.split(r"^### ", pages["docs/cli.md"], flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        sections[slug(heading)] = {part for span in code_of(text)[1] for part in re.split(r"[, ]+(?:/ )?", span)}
    for name, command in command_tree().items():
        missing = options_of(command) - {"--help", "-h"} - sections[name.replace(" ", "-")]
        # One that several commands share is named there by its long form, and stands in full at the top.
        assert missing <= sections["options-of-several-commands"], name


def test_every_option_in_the_pages_exists(pages, repository):
    """Also those that stand for themselves, and those of benchmarks."""
    import typer.main

    known = set().union(*(options_of(command) for command in command_tree().values()))
    known |= options_of(typer.main.get_command(make_app()))
    scripts = [*(repository / "tests" / "benchmarks").glob("*.py"), *(repository / "tools").glob("*.py")]
    of_scripts = {option for script in scripts for option in re.findall(r'"(--[a-z-]+)"', script.read_text())}
    for name, text in pages.items():
        for span in code_of(text)[1]:
            if span.startswith("-"):
                assert set(written_options(span)) <= known | of_scripts, f"{name}: {span}"


def test_the_modules_that_the_pages_start_exist(pages, repository):
    started = [
        each
        for text in pages.values()
        for code in code_of(text)
        for part in code
        for each in re.findall(r"\bpython -m (tests[\w.]+)((?: [^`|;#\n]*)?)", part)
    ]
    assert len(started) > 20
    for module, rest in started:
        path = repository.joinpath(*module.split("."))
        source = next(each for each in (path.with_suffix(".py"), path / "__main__.py") if each.exists()).read_text()
        assert [option for option in written_options(rest) if f'"{option}"' not in source] == [], module


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`clipsearch show 3`", ["show"]),
        ("Thumbnails, `show` and `dupes`", ["show"]),
        ("as 'clipsearch find cat' does", ["find"]),
        ("```console\n$ clipsearch lables add x\n```\n", ["lables"]),
        ("```sh\nTOKEN=x clipsearch captions edit\n```\n", ["captions edit"]),
        ("`model switch NAME`", ["model switch"]),
        ("`model` and `labels show NAME`, clipsearch flushes, `clipsearch --help`, `clipsearch model use\nNAME`", []),
        ("`clipsearch index photos --purge`", ["index --purge"]),
        ("`index --purge`, `gc --older-than DAYS`", ["index --purge"]),
        ("```console\n$ clipsearch query cat -n 3 | head -1\n```\n", ["query -n"]),
        ("`clipsearch query -path:backup`, `clipsearch query 'a --b c'`, `clipsearch query \"cat - dog\" -k 1`", []),
    ],
)
def test_a_command_or_option_that_does_not_exist_is_noticed(text, wrong):
    assert wrong_commands(text) == wrong


def test_the_commands_in_the_page_are_those_of_help(repository):
    script = repository / "tools" / "docs_cli.py"
    command = [sys.executable, script, "--check"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_page_is_noticed_and_rewritten(pages):
    from tools.docs_cli import page_text

    page = pages["docs/cli.md"]
    stale = page.replace("| `--prune` |", "| `--purge` |")
    assert stale != page
    assert page_text(stale) == page
    with pytest.raises(SystemExit, match="lacks the marks"):
        page_text("# A page without marks")
