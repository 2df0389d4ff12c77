"""The help of commands: examples that are right, descriptions that are whole, arguments as they are typed."""

import re

import pytest

from clipsearch.cli.examples import EXAMPLES
from clipsearch.query.filters import CHOICES
from clipsearch.query.filters import EXAMPLES as FILTERS
from tests.cli.test_commands import ALL, EVERYTHING
from tests.docs.pages import wrong_commands
from tests.support.command_line import fail, run


def test_every_command_has_examples_and_they_are_right():
    assert set(EXAMPLES) == set(ALL) - {"search", "find", "albums", "favorite"}
    for name, examples in EXAMPLES.items():
        assert any(example.startswith(f"clipsearch {name}") for example in examples), name
        assert wrong_commands("```sh\n" + "\n".join(examples) + "\n```\n") == []
        assert all(len(example) <= 74 for example in examples), name


@pytest.mark.parametrize("name", EXAMPLES)
def test_help_is_whole_and_shows_no_types_of_python(name, capsys):
    for words in [[name], *([name, below] for below in getattr(ALL[name], "commands", {}))]:
        EVERYTHING([*words, "--help"], prog_name="clipsearch", standalone_mode=False)
        shown = capsys.readouterr().out
        assert re.search(r"[a-z,]\.\.\.$", shown, re.MULTILINE) is None  # as typer cuts descriptions
        assert "list[" not in shown and "<str>" not in shown and "[[" not in shown
    EVERYTHING([name, "--help"], prog_name="clipsearch", standalone_mode=False)
    shown = capsys.readouterr().out
    assert all(example in shown for example in EXAMPLES[name])


def test_the_help_of_queries_ends_with_their_language():
    shown = " ".join(run("help", "query").stdout.split())
    assert run("query", "--help").stdout == run("help", "query").stdout == run("help", "query").stdout
    assert all(example in shown for example in FILTERS.values())
    assert shown.endswith("docs/query-language.md")


def test_help_of_filters_names_each_with_its_values():
    shown = run("help", "filters").stdout
    assert shown == run("help", "query-language").stdout
    for key, example in FILTERS.items():
        (line,) = [line for line in shown.splitlines() if line.startswith(f"  {example} ")]
        assert len(line.split(example)[1].split()) > 1, key
    words = shown.replace(",", " ").split()
    assert all(word in words for choices in CHOICES.values() for word in choices)
    assert "clipsearch help filters" in " ".join(run("query", "--help").stdout.split())


def test_help_is_a_word_before_commands():
    assert run("help").stdout == run("--help").stdout
    assert "Show the catalog: location, model, content, sizes, runs." in run("help").stdout
    assert run("help", "captions", "add").stdout == run("captions", "add", "--help").stdout
    assert run("help", "help").stdout == run("help", "--help").stdout == run("help").stdout
    assert "did you mean 'index'" in fail("help", "indx", code=2)
    assert "no command 'xyz'" in fail("help", "xyz", code=2)
