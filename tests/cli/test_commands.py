"""One command of the command line is the same as among all, and plain values are those that typer converts."""

import sys
from typing import Annotated, Any, Literal

import pytest
import typer
import typer.main

from clipsearch import cli
from clipsearch.cli.commands import make_app
from clipsearch.cli.plain_values import PlainGroup

EVERYTHING = typer.main.get_command(make_app())
ALL = EVERYTHING.commands


def take(
    words: Annotated[list[str] | None, typer.Argument()] = None,
    name: str | None = None,
    count: Annotated[int, typer.Option(min=1, max=500)] = 10,
    share: Annotated[float, typer.Option(min=0, max=1)] = 0.5,
    more: Annotated[list[str] | None, typer.Option()] = None,
    is_open: Annotated[bool, typer.Option("--open")] = False,
    order: Literal["size", "name"] = "size",
) -> Any:
    return [words, name, count, share, more, is_open, order]


def answer_of(arguments, cls):
    app = typer.Typer(cls=cls)
    app.callback()(lambda: None)
    app.command("take")(take)
    try:
        return app(["take", *arguments], standalone_mode=False)
    except typer.TyperException as error:
        return type(error), error.format_message()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a cat", "", "7"],
        ["--name", "", "--open"],
        ["--count", "500", "--more", "1", "--more", "x"],
        *(["--count", n] for n in ("0", "501", "7.0", "7.5", "1_0", " 7", "+7", "-7", "٣", "x", "007", "9" * 30)),
        *(["--share", share] for share in ("0", "1", "1.5", ".5", "1e-3", "nan", "x", "")),
        *(["--order", order] for order in ("name", "size", "size ", "", "Name")),
        ["--nothing"],
        ["--name"],
    ],
)
def test_plain_values_are_those_of_typer(arguments):
    assert answer_of(arguments, PlainGroup) == answer_of(arguments, None)


def test_other_values_are_converted_by_typer():
    assert answer_of(["--share", "0.25", "a"], PlainGroup) == [["a"], None, 10, 0.25, None, False, "size"]


@pytest.mark.parametrize("name", ALL)
def test_a_command_alone_has_the_help_it_has_among_all(name, capsys):
    alone = typer.main.get_command(make_app([name, "x"])).commands
    assert list(alone) == [name]
    assert type(alone[name]) is type(ALL[name])
    below = getattr(ALL[name], "commands", {})
    for arguments in [[name], *([name, each] for each in below)]:
        texts = []
        for app in (EVERYTHING, make_app(arguments)):
            app([*arguments, "--help"], prog_name="clipsearch", standalone_mode=False)
            texts.append(capsys.readouterr().out)
        assert texts[0] == texts[1] != ""


@pytest.mark.parametrize("arguments", [[], ["--help"], ["nothing"], ["--version"], ["-h", "query"]])
def test_without_a_command_all_are_there(arguments, monkeypatch, capsys):
    assert list(typer.main.get_command(make_app(arguments)).commands) == list(ALL)
    monkeypatch.setattr(sys, "argv", ["clipsearch", "status", "--help"])
    assert cli.run() == 0  # the arguments of the process
    assert "clipsearch status" in capsys.readouterr().out.replace("\n", " ")
