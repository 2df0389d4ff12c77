"""clipsearch(1) has every command, option, variable and exit code, and is roff without a warning."""

import re
import shutil
import subprocess
import sys

import pytest

from clipsearch.version import __version__
from tests.docs.pages import command_tree, options_of
from tools import docs_cli, man_page


@pytest.fixture(scope="module")
def manual(repository) -> str:
    return (repository / "docs" / "clipsearch.1").read_text(encoding="ascii")


def test_it_has_every_command_with_its_options(manual):
    text = manual.replace("\\fB", "").replace("\\-", "-")
    shared, commands = text.split("\n.SH COMMANDS\n")
    sections = dict(part.split("\n", 1) for part in commands.split("\n.SH ")[0].split(".SS ")[1:])
    assert sections.keys() == command_tree().keys()
    for name, command in command_tree().items():
        written = set(re.findall(r"(?<![\w-])--?[a-z0-9][a-z0-9-]*", sections[name]))
        assert options_of(command) - {"--help", "-h"} - written <= set(shared.split()), name


def test_it_has_version_exit_codes_and_variables(manual, pages):
    assert f'"clipsearch {__version__}"' in manual
    for name, heading in (("ENVIRONMENT", "Environment variables"), ("EXIT STATUS", "Exit codes")):
        section = manual.split(f"\n.SH {name}\n")[1].split("\n.SH ")[0]
        table = pages["docs/cli.md"].split(f"# {heading}\n")[1].split("\n## ")[0]
        written = re.findall(r"^\| `?([A-Z_]+|\d+)`? ", table, re.MULTILINE)
        assert len(written) >= 7
        assert re.findall(r"\\fB(\w+)\\fR", section) == written


def test_a_stale_manual_is_noticed_and_rewritten(manual, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(docs_cli, "MANUAL", tmp_path / "clipsearch.1")
    (tmp_path / "clipsearch.1").write_text(manual.replace("\\-\\-prune", "\\-\\-purge"))
    monkeypatch.setattr(sys, "argv", ["docs_cli.py", "--check"])
    assert docs_cli.main() == 1
    assert "clipsearch.1 is stale" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["docs_cli.py"])
    assert docs_cli.main() == 0
    assert (tmp_path / "clipsearch.1").read_text() == manual


def test_a_page_without_the_tables_is_refused():
    with pytest.raises(SystemExit, match="no table below Environment variables"):
        man_page.man_page("# Command line\n\n## Exit codes\n")


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
@pytest.mark.parametrize("text", [".hidden files", "it's 'x'", "a \\n b", "--no-such~thing^2", "a – b"])
def test_text_is_printed_unchanged(text):
    command = ["groff", "-man", "-ww", "-Tutf8", "-P-cbou"]
    page = f".TH X 1\n.SH A\n{man_page.escape(text)}\n"
    done = subprocess.run(command, input=page, capture_output=True, encoding="utf-8", check=True)
    assert (done.stdout.splitlines()[5].strip(), done.stderr) == (text, "")


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
def test_it_is_roff_without_a_warning(repository):
    command = ["groff", "-man", "-ww", "-z", repository / "docs" / "clipsearch.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
