"""Colours of the terminal, and none elsewhere."""

import re

import pytest

from clipsearch.cli.colours import has_colours
from tests.support.command_line import SAMPLES, run

VARIABLES = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TERM")


class Stream:
    def __init__(self, is_terminal: bool) -> None:
        self.isatty = lambda: is_terminal


@pytest.fixture
def environment(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "on_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0", "CLICOLOR_FORCE": ""}, True, False),
        ({"CLICOLOR_FORCE": "1", "TERM": "dumb"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_when_there_are_colours(environment, variables, on_terminal, elsewhere):
    for name, value in variables.items():
        environment.setenv(name, value)
    assert (has_colours(Stream(True)), has_colours(Stream(False)), has_colours(None)) == (
        on_terminal,
        elsewhere,
        elsewhere,
    )


def test_colours_change_nothing_else(tmp_path, colours, environment):
    place = ("--catalog", tmp_path / "c")
    run("index", SAMPLES / "food", "--model", "colours", *place)
    plain, wrong = run("query", "red", *place), run("indx", code=2)
    assert "\x1b" not in plain.stdout + plain.stderr + wrong.stderr
    environment.setenv("FORCE_COLOR", "1")
    bright, red = run("query", "red", *place), run("indx", code=2)
    assert re.sub(r"\x1b\[\d+m", "", bright.stdout) == plain.stdout != bright.stdout
    assert red.stderr == wrong.stderr.replace("clipsearch", "\x1b[31mclipsearch\x1b[0m", 1)
    for form in ("--json", "--paths", "--csv", "--jsonl"):
        assert "\x1b" not in run("query", "red", form, *place).stdout
