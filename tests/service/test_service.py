"""Services: the files for each system, whatever a catalog is called, and the commands that install and remove them."""

import os
import plistlib
import shlex
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from clipsearch import Catalog
from clipsearch.errors import InputError
from clipsearch.paths import CatalogPlace, catalog_place
from clipsearch.service import managers
from clipsearch.service.definition import Service, name_of
from clipsearch.service.launchd import Launchd
from clipsearch.service.systemd import Systemd
from clipsearch.service.task_scheduler import TaskScheduler
from tests.support.command_line import fail, run

NAMES = [
    "plain",
    "two words",
    'a "quoted" one',
    "it's",
    "100% of $HOME ${HOME}",
    "back\\slash\\",
    "Füße 写真",
    "-x;y &<>",
]

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="writes units of systemd")


def service_of(directory: str) -> Service:
    return Service.of(CatalogPlace(Path(directory)), ["watch", f"{directory}/photos", "--model", "starter"])


def words_of_unit(line: str) -> list[str]:
    """What systemd makes of a command line in which all words are quoted."""
    words = shlex.split(line.replace("\\\\", "\0").replace("$$", "$").replace("%%", "%"))
    return [word.replace("\0", "\\") for word in words]


def windows_words(line: str) -> list[str]:
    """What a program of Windows makes of its command line. Source: "Parsing C command-line arguments" of Microsoft."""
    words, word, is_quoted, is_begun, slashes = [], "", False, False, 0
    for character in line + " ":
        if character == "\\":
            slashes, is_begun = slashes + 1, True
            continue
        if character == '"':
            word, is_begun = word + "\\" * (slashes // 2), True
            if slashes % 2:
                word += '"'
            else:
                is_quoted = not is_quoted
        elif character in " \t" and not is_quoted:
            if is_begun:
                words.append(word + "\\" * slashes)
            word, is_begun = "", False
        else:
            word, is_begun = word + "\\" * slashes + character, True
        slashes = 0
    return words


@pytest.mark.parametrize("name", NAMES)
def test_systemd_reads_the_command_as_it_is(name):
    service = service_of(f"/data/{name}")
    lines = Systemd(Path("/units")).text(service).splitlines()
    (command,) = [line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart=")]
    assert command.count("%") == 2 * "".join(service.command).count("%")
    assert words_of_unit(command) == list(service.command)
    assert {"Nice=10", "IOSchedulingClass=idle", "Restart=on-failure", "WantedBy=default.target"} <= set(lines)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd checks its own files")
@pytest.mark.parametrize("name", NAMES)
def test_systemd_accepts_its_file(name, tmp_path, monkeypatch):
    program = tmp_path / "100% of $HOME Füße" / "python"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / name))
    unit = managers.install(service_of(str(tmp_path / name)), Systemd(tmp_path / "units"))
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C.UTF-8"})
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, [])


@pytest.mark.parametrize("name", NAMES)
def test_launchd_reads_the_command_as_it_is(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_CACHE", f"/cache/{name}")
    service, manager = service_of(f"/data/{name}"), Launchd(tmp_path, 501)
    agent = plistlib.loads(managers.install(service, manager).read_bytes())
    assert agent["ProgramArguments"] == list(service.command)
    assert agent["EnvironmentVariables"]["CLIPSEARCH_CACHE"] == f"/cache/{name}"
    assert (agent["Label"], agent["ProcessType"], agent["KeepAlive"]) == (
        service.name,
        "Background",
        {"SuccessfulExit": False},
    )
    assert str(manager.start_commands(service.name)[1]) == shlex.join(
        ["launchctl", "bootstrap", "gui/501", str(tmp_path / "LaunchAgents" / f"{service.name}.plist")]
    )


@pytest.mark.parametrize("name", NAMES)
def test_windows_reads_the_command_as_it_is(name, tmp_path):
    manager, service = TaskScheduler(tmp_path, "HOME\\Ada & Søn"), service_of(f"/data/{name}")
    with pytest.raises(InputError, match="CLIPSEARCH_CACHE"):  # it would run with another one
        managers.install(service, manager)
    service = replace(service, environment={})
    path = managers.install(service, manager)
    assert path.read_bytes().startswith(b"\xff\xfe")
    task, space = ElementTree.fromstring(path.read_bytes()), "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    found = {each.tag.removeprefix(space): each.text for each in task.iter()}
    assert [found["Command"], *windows_words(found["Arguments"])] == list(service.command)
    assert (found["UserId"], found["Priority"], found["ExecutionTimeLimit"]) == ("HOME\\Ada & Søn", "8", "PT0S")


def test_what_no_file_can_hold_is_refused(tmp_path):
    with pytest.raises(InputError, match="characters that the file of a service can't hold"):
        service_of("/data/two\nlines")
    with pytest.raises(InputError, match="characters"):
        service_of(os.fsdecode(b"/data/\xff"))
    with pytest.raises(InputError, match="quotes or backslashes"):
        Systemd(tmp_path).text(Service("x", ["/it's/python"]))
    with pytest.raises(InputError, match="is a variable in tasks of Windows"):
        TaskScheduler(tmp_path, "ada").text(service_of("/data/%PATH%"))
    for url in ("postgresql://ada:secret@host/db", "postgresql://ada@host/db?password=secret"):
        with pytest.raises(InputError, match="pgpass") as caught:
            Service.of(catalog_place(url), ["watch"])
        assert "secret" not in str(caught.value)


def test_each_catalog_has_a_name_of_its_own(tmp_path):
    names = [name_of(CatalogPlace(tmp_path / name)) for name in [*NAMES, "other/plain", "clipsearch", ".."]]
    assert len(set(names)) == len(names)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and len(name) < 50 for name in names)
    (tmp_path / "plain").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "plain")
    assert name_of(CatalogPlace(tmp_path / "link")) == names[0]


def test_states_are_read_as_the_managers_tell_them(tmp_path):
    systemd, launchd = Systemd(tmp_path), Launchd(tmp_path, 501)
    assert systemd.parse_state("MainPID=12\nActiveState=active\n") == managers.ServiceState(True, 12)
    assert systemd.parse_state("MainPID=0\nActiveState=failed\n") == managers.ServiceState(False)
    assert launchd.parse_state("x = {\n\tstate = running\n\tpid = 12\n}") == managers.ServiceState(True, 12)
    assert launchd.parse_state("x = {\n\tstate = waiting\n}") == managers.ServiceState(False)
    assert TaskScheduler(tmp_path, "").parse_state("Running\r\n") == managers.ServiceState(True)
    assert TaskScheduler(tmp_path, "").parse_state("Ready\r\n") == managers.ServiceState(False)


# ------------------------------------------------------------------ the commands


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """A stand-in that notes how it is called; the unit runs as this process."""
    calls = tmp_path / "bin" / "calls"
    calls.parent.mkdir()
    program = tmp_path / "bin" / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> "{calls}"\necho ActiveState=active; echo MainPID={os.getpid()}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return lambda: calls.read_text().splitlines()


@needs_linux
def test_a_service_is_installed_described_and_removed(systemctl, tmp_path, colours):
    (tmp_path / "photos").mkdir()
    with Catalog.open(tmp_path / "c", model="colours", create=True) as catalog:
        catalog.index(tmp_path / "photos")
    name, at = name_of(CatalogPlace(tmp_path / "c")), ("--catalog", tmp_path / "c")
    unit = tmp_path / "config" / "systemd" / "user" / f"{name}.service"
    said = run("service", "install", *at, "--no-ocr", "--device", "cpu").stdout.splitlines()
    assert said[0] == f"written: {unit}" and said[-1] == f"done: systemctl --user restart {name}.service"
    assert f'"watch" "--device" "cpu" "--no-ocr" "--catalog" "{tmp_path / "c"}"' in unit.read_text()
    assert systemctl() == [
        "--user daemon-reload",
        f"--user enable {name}.service",
        f"--user restart {name}.service",
    ]
    said = run("service", "status", *at).stdout
    assert f"{name}, {unit}" in said and f", process {os.getpid()}" in said and "running   since 20" in said
    assert "last run  20" in said and "0 indexed" in said
    run("service", "install", *at, "--serve", "--port", "9000")
    assert '"serve" "--watch" "--port" "9000"' in unit.read_text()
    run("service", "remove", *at)
    assert not unit.exists() and systemctl()[-1] == f"--user disable --now {name}.service"
    assert "has no service" in fail("service", "remove", *at, code=2)
    assert "not installed: clipsearch service install" in run("service", "status", *at).stdout


@needs_linux
def test_where_there_is_no_manager_one_line_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", "")
    at, name = ("--catalog", tmp_path / "c"), name_of(CatalogPlace(tmp_path / "c"))
    done = run("service", "install", tmp_path, *at, code=1)
    assert done.stdout.startswith("written: ") and done.stderr == (
        "clipsearch: there is no systemctl here. Where it works, run: systemctl --user daemon-reload && "
        f"systemctl --user enable {name}.service && systemctl --user restart {name}.service\n"
    )
    assert "running   unknown: there is no systemctl here" in run("service", "status", *at).stdout
    assert run("service", "remove", *at, code=1).stdout.startswith("deleted: ")


@needs_linux
def test_print_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    at = ("service", "install", "photos", "--catalog", "c", "--print")
    assert f"no folder {tmp_path / 'photos'}" in fail(*at, cwd=tmp_path, code=2)
    (tmp_path / "photos").mkdir()
    said = run(*at, cwd=tmp_path).stdout
    assert f'"watch" "{tmp_path / "photos"}" "--catalog" "{tmp_path / "c"}"' in said
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@needs_linux
def test_relative_paths_are_written_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name, value in {"CACHE": "cache", "CONFIG": "mine.toml", "MODEL": "./model", "DEVICE": "cpu"}.items():
        monkeypatch.setenv(f"CLIPSEARCH_{name}", value)
    (tmp_path / "other").mkdir()
    said = run("service", "install", ".", "--model", "other", "--catalog", "c", "--print", cwd=tmp_path).stdout
    assert f'"--model" "{tmp_path / "other"}"' in said
    for words in (f"CACHE={tmp_path / 'cache'}", f"CONFIG={tmp_path / 'mine.toml'}", f"MODEL={tmp_path / 'model'}"):
        assert f"CLIPSEARCH_{words}" in said
    assert "CLIPSEARCH_DEVICE=cpu" in said


@needs_linux
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--serve", "photos"], 2, "leave folders and options of watch out"),
        (["--port", "9000"], 2, "use it with --serve"),
        (["/no/such/folder"], 2, "no folder /no/such/folder"),
        ([], 3, "no catalog in"),
    ],
)
def test_bad_options_are_refused_in_one_line(tmp_path, arguments, code, words):
    assert words in fail("service", "install", *arguments, "--catalog", tmp_path / "c", code=code)
