"""--quiet, --verbose and --log-file, before and after a command."""

import logging
import re
import stat

import pytest

from clipsearch.cli.logs import LogFile
from clipsearch.notices import LOGGER
from tests.support.command_line import SAMPLES, fail, run


@pytest.fixture
def place(tmp_path, colours) -> tuple[object, ...]:
    place = ("--catalog", tmp_path / "catalog")
    run("index", SAMPLES / "food", "--model", "colours", *place)
    return place


def test_what_is_done_is_printed_and_logged(place, tmp_path):
    level, file = LOGGER.level, tmp_path / "log.txt"
    plain = run("query", "red", *place)
    for arguments in (("-v", "query", "red", *place), ("query", "red", *place, "--verbose"), ("red", "-v", *place)):
        found = run(*arguments, "--log-file", file)
        assert found.stdout == plain.stdout
        assert re.search(r"^clipsearch: open the catalog \S+/catalog: 0\.\d{3} s$", found.stderr, re.MULTILINE)
        assert re.search(r"^clipsearch: embed the query: ", found.stderr, re.MULTILINE)
    assert LOGGER.level == level
    lines = file.read_text().splitlines()
    assert len([line for line in lines if " INFO embed the query: " in line]) == 3
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} (INFO|WARNING|ERROR) ", line) for line in lines)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = run(f"--log-file={file}", "query", "nothing.jpg", *place, code=2)
    assert found.stderr == "clipsearch: no picture nothing.jpg: the file does not exist (use --text for words)\n"
    assert file.read_text().splitlines()[-1].endswith(" ERROR " + found.stderr.removeprefix("clipsearch: ").strip())


def test_quiet_leaves_results_and_errors(place):
    assert "nothing seems to match" in run("query", "red", *place).stderr
    quiet = run("query", "red", *place, "-q")
    assert quiet.stderr == "" and quiet.stdout == run("query", "red", *place).stdout
    assert "did you mean 'index'" in fail("--quiet", "indx", code=2)
    assert run("query", "red", *place).stderr != ""


def test_words_after_two_dashes_are_no_options(place):
    assert "only excluded terms" in fail("query", *place, "--", "-v", code=2)


def test_what_is_wrong_with_a_log_file_is_one_line(place, tmp_path):
    assert "choose --quiet or --verbose" in fail("-q", "status", "-v", code=2)
    assert "--log-file takes a value" in fail("status", "--log-file", code=2)
    assert "No such file" in fail("status", "--log-file", tmp_path / "no" / "log", code=2)
    assert "not a regular file" in fail("status", "--log-file", "/dev/null", code=2)


def test_a_full_disk_behind_the_log_is_told_once(tmp_path, capsys, monkeypatch):
    log = LogFile(str(tmp_path / "log"))
    LOGGER.addHandler(log)
    log.setStream(open("/dev/full", "w")).close()  # noqa: SIM115
    for _ in range(2):
        LOGGER.handle(logging.LogRecord("clipsearch", logging.INFO, "", 0, "a step", None, None))
    assert capsys.readouterr().err.count("the log file can't be written") == 1
    log.close()
