"""query --html, --open, --thumbnails, --copy-to and --link-to."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clipsearch.paths import sample_data_folder
from tests.support.command_line import SCRIPT, fail, run, run_script

SAMPLES = sample_data_folder()
pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Path:
    catalog = tmp_path_factory.mktemp("showing") / "catalog"
    run("index", SAMPLES / "animals", "--catalog", catalog, "--model", "starter")
    return catalog


@pytest.fixture
def opened(tmp_path, monkeypatch) -> Path:
    """What `xdg-open` was asked to open, a line each."""
    log = tmp_path / "opened.txt"
    place = tmp_path / "bin"
    place.mkdir()
    (place / "xdg-open").write_text(f'#!/bin/sh\necho "$1" >> "{log}"\n')
    (place / "xdg-open").chmod(0o755)
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
    return log


def lines(log: Path) -> list[str]:
    for _ in range(100):  # nobody waits for what opens it
        if log.exists() and log.read_text().endswith("\n"):
            return log.read_text().splitlines()
        time.sleep(0.05)
    return []


def test_a_sheet_is_written_beside_any_form_of_result(catalog, tmp_path):
    sheet = tmp_path / "cats.html"
    done = run("query", "a cat", "--catalog", catalog, "--html", sheet, "--paths", "-k", "2")
    assert Path(done.stdout.splitlines()[0]).name == "cat.jpg"
    assert done.stderr.strip() == f"contact sheet: {sheet}"
    html = sheet.read_text(encoding="utf-8")
    assert html.count("<figure") == html.count("data:image/jpeg") == 2


def test_a_sheet_that_can_not_be_stops_before_the_query(catalog, tmp_path):
    assert "call it x.jpg.html" in fail("query", "a cat", "--catalog", catalog, "--html", tmp_path / "x.jpg", code=2)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems open files otherwise")
def test_the_first_hit_or_the_sheet_is_opened(catalog, tmp_path, opened):
    run("query", "a cat", "--catalog", catalog, "--open")
    assert lines(opened) == [str(SAMPLES / "animals" / "cat.jpg")]
    opened.unlink()
    run("query", "a cat", "--catalog", catalog, "--open", "--html", "s.html", cwd=tmp_path)
    assert lines(opened) == [str(tmp_path / "s.html")]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems open files otherwise")
def test_nothing_to_open_with_is_said(catalog, tmp_path):
    done = run_script(
        "query", "a cat", "--catalog", catalog, "--open", env=os.environ | {"PATH": str(tmp_path)}, code=2
    )
    assert "no program to open files was found" in done.stderr


def test_thumbnails_are_for_terminals(catalog):
    plain = run("query", "a cat", "--catalog", catalog)
    done = run("query", "a cat", "--catalog", catalog, "--thumbnails")
    assert done.stdout == plain.stdout
    assert "no thumbnails: stdout is not a terminal" in done.stderr


def in_terminal(catalog, columns: int) -> str:
    main, other = pty.openpty()
    import termios

    termios.tcsetwinsize(other, (40, columns))
    arguments = [SCRIPT, "query", "a cat", "--catalog", catalog, "--thumbnails", "-k", "2"]
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen(arguments, stdin=other, stdout=other, stderr=other, env=environment)
    os.close(other)
    shown = b""
    try:
        while chunk := os.read(main, 65536):
            shown += chunk
    except OSError:  # Linux says so that the other end is closed
        pass
    text = shown.decode()
    assert process.wait(timeout=60) == 0, text
    assert "Traceback" not in text
    return text


def test_thumbnails_in_a_terminal(catalog):
    text = in_terminal(catalog, 80)
    assert text.count("▄") + text.count("▀") > 200, text  # half blocks: this terminal answers no questions
    assert "1 cat.jpg" in text
    assert "animals/\x1b[0m\x1b[1mcat.jpg" in text
    assert "Failed" not in text  # what the library logs
    assert "no thumbnails" in in_terminal(catalog, 0)


def test_without_what_draws_them_the_line_says_what_to_install(catalog):
    code = (
        "import sys; sys.modules['textual_image'] = None; from clipsearch.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "query", "a cat", "--catalog", catalog, "--thumbnails"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip().endswith("pip install 'clipsearch[terminal]'")


def test_hits_are_copied_and_linked(catalog, tmp_path):
    query = ("query", "a cat", "-k", "3", "--paths", "--catalog", catalog)
    found = run(*query, "--copy-to", tmp_path / "copies", "--link-to", "links", cwd=tmp_path)
    assert found.stdout == run(*query).stdout
    names = {Path(line).name for line in found.stdout.splitlines()}
    assert {path.name for path in (tmp_path / "copies").iterdir()} == names
    assert {path.name for path in (tmp_path / "links").iterdir() if path.is_symlink()} == names
    assert found.stderr == "3 files copied to copies\n3 files linked to links\n"
    again = run(*query, "--copy-to", "copies", cwd=tmp_path)
    assert again.stderr == "0 files copied to copies, 3 already there\n"
    (tmp_path / "file").touch()
    assert "is not a folder" in fail(*query, "--copy-to", tmp_path / "file", code=2)


def test_a_copy_that_fails_is_told(tmp_path, colours):
    place = ("--model", "colours", "--catalog", tmp_path / "c")
    shutil.copytree(SAMPLES / "food", tmp_path / "photos")
    run("index", tmp_path / "photos", *place)
    gone = tmp_path / "photos" / "donut.png"
    gone.unlink()
    found = run("query", "red", *place, "--copy-to", tmp_path / "photos" / "copies", code=1)
    assert found.stderr.splitlines()[-3:] == [
        f"clipsearch: {gone} was not copied: No such file or directory",
        f"3 files copied to {tmp_path / 'photos' / 'copies'}",
        f"clipsearch: {tmp_path / 'photos' / 'copies'} is indexed: its files are found, too, after the next index run",
    ]
    assert len(found.stdout.splitlines()) == 4
