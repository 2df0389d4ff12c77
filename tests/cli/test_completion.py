"""What a shell is told to complete."""

import os
import subprocess
import sys

import pytest

from clipsearch import Catalog, cli
from clipsearch.query import parse_query
from clipsearch.query.filters import CHOICES
from tests.support.command_line import SAMPLES, SCRIPT, run


@pytest.fixture
def complete(monkeypatch, capsys):
    """Completions of the last of these words by bash, each with its own divided at colons."""

    def complete(*words: str, shell: str = "bash") -> list[str]:
        monkeypatch.setenv("_CLIPSEARCH_COMPLETE", f"complete_{shell}")
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", " ".join(["clipsearch", *words]))
        monkeypatch.setenv("_TYPER_COMPLETE_WORD_TO_COMPLETE", words[-1])
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        monkeypatch.setenv("COMP_WORDS", "\n".join(["clipsearch", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        with pytest.raises(SystemExit):
            cli.run()
        monkeypatch.delenv("_CLIPSEARCH_COMPLETE")
        out, err = capsys.readouterr()
        assert err == ""
        return [line for line in out.splitlines() if line]

    return complete


@pytest.fixture
def catalog(tmp_path, colours) -> str:
    place = str(tmp_path / "c")
    run("index", SAMPLES / "food", "--model", "colours", "--catalog", place)
    run("concept", "add", "rex", SAMPLES / "food" / "donut.png", "--catalog", place)
    with Catalog.open(place) as opened:
        opened.labels.add("shades", ["red", "blue"])
        opened.saved.add("sweet", "a donut")
        opened.albums.add("Italy 2023", [1])
    return place


def test_commands_options_and_fixed_values(complete):
    assert complete("qu") == ["query"]
    assert complete("config", "se") == ["set"]
    assert complete("query", "--copy") == ["--copy-to"]
    assert complete("query", "--sort", "n") == ["name"]
    assert complete("query", "--precision", "b") == ["bf16"]
    assert complete("config", "set", "prec") == ["precision"]
    assert "starter" in complete("model", "use", "st")


def test_filters_of_queries(complete):
    assert complete("query", "cat", "tak") == ["taken:"]
    assert complete("query", "type", ":", "he") == ["heif"]  # as bash divides it
    assert complete("query", "kind", ":") == list(CHOICES["kind"])
    assert complete("query", "type:he") == ["type:heif"]
    assert complete("query", "") == []
    assert complete("search", "orient") == ["orientation:"]
    for key, words in CHOICES.items():
        assert words and all(parse_query(f"{key}:{word}").filters for word in words)


def test_names_of_the_catalog(complete, catalog):
    assert complete("query", "--catalog", catalog, "@") == ["@rex", "@sweet"]
    assert complete("watch", "--catalog", catalog, "--matches", "@") == ["@sweet"]
    assert complete("saved", "remove", "--catalog", catalog, "s") == ["sweet"]
    assert complete("album", "show", "--catalog", catalog, "It") == ["Italy\\ 2023"]
    assert complete("concept", "show", "--catalog", catalog, "r") == ["rex"]
    assert complete("label", "--catalog", catalog, "--labels", "s") == ["scenes", "shades"]
    assert complete("labels", "show", "--catalog", catalog, "sh") == ["shades"]
    assert complete("query", "--catalog", catalog, "--model", "col") == ["colours"]


def test_names_are_quoted_for_the_shell(complete, catalog, tmp_path):
    with Catalog.open(catalog) as opened:
        for name in ("pwn$(touch X)", "it's `x`", "many*", "back\\$(touch X)"):
            opened.albums.add(name, [1])
    album = ("album", "show", "--catalog", catalog)
    assert complete(*album, "pwn") == [r"pwn\$\(touch\ X\)"]
    assert complete(*album, '"pwn') == [r"pwn\$(touch X)"]
    assert complete(*album, "'pwn") == ["pwn$(touch X)"]
    assert complete(*album, "'it") == [r"it'\''s `x`"]
    assert complete(*album, '"it') == [r"it's \`x\`"]
    assert complete(*album, "many") == complete(*album, "x'pw") == []
    assert complete(*album, "back", shell="zsh") == ["_files"]
    assert "pwn\\$(touch X)" in complete(*album, "pwn", shell="zsh")[0]
    assert complete(*album, "pwn", shell="powershell") == ["'pwn$(touch X)'::: "]
    assert complete(*album, "It", shell="fish") == ["Italy 2023"]
    for word in ("pwn", '"pwn', "'pwn", "'it", '"it', "it"):
        (value,) = complete(*album, word)
        quote = word[0] if word[0] in "'\"" else ""
        done = subprocess.run(
            ["bash", "-c", f"printf %s {quote}{value}{quote}"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout in ("pwn$(touch X)", "it's `x`")
    assert not (tmp_path / "X").exists()


def test_albums_complete_in_queries(complete, catalog):
    query = ("query", "--catalog", catalog)
    assert complete(*query, "album", ":", "It") == [r"\"Italy\ 2023\""]  # as bash divides it
    assert complete(*query, "'album:It") == ['album:"Italy 2023"']
    assert complete(*query, "-album", ":") == [r"\"Italy\ 2023\""]
    assert complete(*query, "album:", shell="zsh")[0].count("“Italy 2023”") == 1


def test_what_fails_completes_nothing(complete, tmp_path, monkeypatch):
    (tmp_path / "catalog.sqlite3").write_bytes(b"no database")
    for place in (tmp_path, tmp_path / "none", "mysql://x"):
        assert complete("query", "--catalog", str(place), "@") == []
    (tmp_path / "config.toml").write_text("=")
    monkeypatch.setenv("CLIPSEARCH_CONFIG", str(tmp_path))
    assert complete("query", "@") == []
    assert complete("query", "'unfinished") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["catalog.sqlite3", "config.toml"]


def test_completion_loads_nothing_heavy(catalog):
    code = (
        "import os, sys; from clipsearch.cli import main\n"
        "try: main()\n"
        "finally: print([name for name in ('torch', 'faiss', 'openvino', 'sqlalchemy', 'PIL') if name in sys.modules])"
    )
    words = ["clipsearch", "query", "--catalog", catalog, "@"]
    variables = {"_CLIPSEARCH_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": "4"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=_with(variables), capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:3] == ["@rex", "@sweet", "[]"]
    fish = {"_CLIPSEARCH_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": "clipsearch query tak"}
    fish["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    assert subprocess.check_output([SCRIPT], env=_with(fish), text=True) == "taken:\ttaken:2024-05..2025\n"


def _with(variables: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **variables}
