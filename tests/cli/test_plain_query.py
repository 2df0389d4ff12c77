"""A query without a command, and the current folder that is indexed for it."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from clipsearch.cli.plain_query import read_command_line
from clipsearch.errors import InputError
from tests.support.command_line import SAMPLES, fail, run

MODEL = ("--model", "colours")


@pytest.fixture
def photos(tmp_path, colours, monkeypatch) -> Path:
    monkeypatch.setenv("CLIPSEARCH_CATALOG", str(tmp_path / "catalog"))
    shutil.copytree(SAMPLES / "food", tmp_path / "photos")
    return tmp_path / "photos"


@pytest.mark.parametrize(
    "arguments",
    [
        ["a cat"],
        ["a", "cat", "-k", "3"],
        ["cat"],
        ["index cards"],
        ["./cat.jpg"],
        ["@rex"],
        ["taken:2024"],
        ["-a", "a cat"],
        ["-k3", "cat", "--json"],
        ["--catalog=c", "cat"],
        ["--more", "42"],
        ["猫"],
        ["--here", "index cards"],
    ],
)
def test_arguments_without_a_command_are_a_query(arguments):
    line = read_command_line(arguments)
    assert (line.arguments, line.is_plain) == (["query", *arguments], True)


@pytest.mark.parametrize(
    "arguments",
    [[], ["status"], ["find", "a cat"], ["-h"], ["--version"], ["--verison"], ["-z", "a cat"], ["--show-completion"]],
)
def test_commands_and_options_of_the_program_are_none(arguments):
    line = read_command_line(arguments)
    assert (line.arguments, line.is_plain, line.is_changed) == (arguments, False, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["indx", "./photos"], "no command 'indx': did you mean 'index'"),
        (["Index", "x"], "did you mean 'index'"),
        (["stauts"], "did you mean 'status'"),
        (["beach", "at night"], "did you mean 'bench'? To search for it: clipsearch query beach 'at night'"),
        (["--json", "stauts"], "did you mean 'status'"),
        (["--catalog", "c", "status"], "options go after the command: clipsearch status --catalog"),
    ],
)
def test_a_mistyped_command_is_not_searched_for(arguments, said):
    with pytest.raises(InputError) as caught:
        read_command_line(arguments)
    assert said in str(caught.value)


def test_a_mistyped_command_is_one_line():
    assert "did you mean 'index'" in fail("indx", "./photos", code=2)
    assert "--version)" in fail("--verison", code=2)


def test_without_a_catalog_the_current_folder_is_offered(photos, tmp_path):
    said = fail("red", *MODEL, code=3, cwd=photos)
    assert said.endswith("make one with 'clipsearch index FOLDER'")
    question = f"{photos} is not indexed. Index its 4 pictures now? [y/N]: "
    for answers in ("\n", "n\n", "y\n"):
        found = run("red", *MODEL, "-k1", answers=answers, code=0 if answers == "y\n" else 3, cwd=photos)
        assert question in found.stderr
    assert len(found.stdout.splitlines()) == 1
    assert "4 indexed" in found.stderr
    (tmp_path / "catalog").rename(tmp_path / "c")
    assert "[y/N]" not in run("query", "red", answers="y\n", code=3, cwd=photos).stderr
    (tmp_path / "none").mkdir()
    assert "[y/N]" not in run("red", answers="y\n", code=3, cwd=tmp_path / "none").stderr


def test_a_folder_that_is_not_indexed_is_offered_once(photos, tmp_path):
    run("index", photos, *MODEL)
    (tmp_path / "more").mkdir()
    shutil.copy(SAMPLES / "animals" / "cat.jpg", tmp_path / "more")
    assert "this folder is not indexed" in run("red", cwd=tmp_path / "more").stderr
    assert run("red", "--paths", cwd=tmp_path / "more").stderr == ""
    for folder in (photos, tmp_path):  # indexed, and around what is indexed
        assert "[y/N]" not in run("red", "-k1", answers="y\n", cwd=folder).stderr
    assert "its 1 picture now?" in run("red", "-k1", answers="\n", cwd=tmp_path / "more").stderr
    assert "[y/N]" not in run("red", "-k1", answers="y\n", cwd=tmp_path / "more").stderr
    assert json.loads(run("status", "--json").stdout)["files"] == 4


def test_new_files_of_the_current_folder_are_added_first(photos, tmp_path):
    def names(*arguments, cwd=photos) -> list[str]:
        return [Path(line).name for line in run(*arguments, "--paths", "-k9", cwd=cwd).stdout.splitlines()]

    assert len(names("-a", "red", *MODEL)) == 4
    shutil.copy(SAMPLES / "animals" / "cat.jpg", photos)
    added = run("red", "--add", "--paths", "-k9", cwd=photos)
    assert added.stderr.startswith("clipsearch: 1 indexed, 4 unchanged of 5 pictures")
    assert len(added.stdout.splitlines()) == 5
    assert run("red", "--add", "--paths", "-k9", cwd=photos).stderr == ""
    (photos / "below").mkdir()
    shutil.copy(SAMPLES / "animals" / "cow.jpg", photos / "below")
    assert "cow.jpg" in names("query", "red", "-a", cwd=photos / "below")
    assert names("red", "--here", cwd=photos / "below") == ["cow.jpg"]
    assert len(names("red", "--here")) == 6


@pytest.mark.parametrize("name", ["a*b", "aXb", "Cat", "cat"])
def test_here_is_the_folder_of_this_very_name(photos, tmp_path, name):
    for number, each in enumerate(("a*b", "aXb", "Cat", "cat")):
        (photos / each).mkdir()
        Image.new("RGB", (16, 16), (200, number, 0)).save(photos / each / f"{each[1:]}.png")
    run("index", photos, *MODEL)
    found = run("red", "--here", "--paths", "-k9", cwd=photos / name).stdout.splitlines()
    assert found == [str(photos / name / f"{name[1:]}.png")]


def test_options_of_one_letter_are_written_together():
    assert read_command_line(["-qk", "1", "cat"]).arguments == ["-q", "query", "-k", "1", "cat"]
    assert read_command_line(["query", "cat", "-vk3"]).arguments == ["-v", "query", "cat", "-k3"]
    assert read_command_line(["cat", "-queen"]).arguments == ["query", "cat", "-queen"]
    assert read_command_line(["--", "-cat"]).arguments == ["query", "--", "-cat"]
    with pytest.raises(InputError, match="--log-file takes a value"):
        read_command_line(["--log-file=", "cat"])
    assert "choose --quiet or --verbose" in fail("-qv", "cat", code=2)
    assert "Invalid value for '--sort': 'date' is not one of" in fail("cat", "--sort", "date", code=2)
