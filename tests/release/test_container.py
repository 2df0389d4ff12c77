"""What Dockerfile and compose.yaml name exists in the package, and agrees."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer.main
import yaml
from starlette.testclient import TestClient

from clipsearch import settings
from clipsearch.cli.commands import make_app
from clipsearch.web.security import Guard, GuardRules
from clipsearch.web.server import DEFAULT_PORT

Steps = list[tuple[str, str]]
"""(instruction, what follows it) of a stage."""


@pytest.fixture(scope="module")
def stages(repository) -> list[Steps]:
    text = re.sub(r"^#.*\n", "", (repository / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    steps = [tuple(line.split(" ", 1)) for line in lines if line]
    starts = [number for number, (name, _) in enumerate(steps) if name == "FROM"]
    return [steps[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


@pytest.fixture(scope="module")
def service(repository) -> dict:
    compose = yaml.safe_load((repository / "compose.yaml").read_text(encoding="utf-8"))
    (service,) = compose["services"].values()
    named = {volume.split(":")[0] for volume in service["volumes"] if not volume.startswith("$")}
    assert named == compose["volumes"].keys()
    return service


@pytest.fixture(scope="module")
def project(repository) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


def values(steps: Steps, instruction: str) -> list[str]:
    return [rest for name, rest in steps if name == instruction]


def variables(steps: Steps) -> dict[str, str]:
    words = [word for rest in values(steps, "ENV") for word in shlex.split(rest)]
    return dict(word.split("=", 1) for word in words)


@pytest.mark.parametrize("watches", [False, True])
def test_the_image_starts_a_command_that_exists(stages, service, project, watches):
    final = stages[-1]
    (program,) = json.loads(values(final, "ENTRYPOINT")[0])
    assert program in project["project"]["scripts"]
    arguments = list(service["command"]) if watches else json.loads(values(final, "CMD")[0])
    command = typer.main.get_command(make_app(arguments)).commands[arguments[0]]
    given = command.make_context(arguments[0], arguments[1:]).params
    assert (given["host"], given["port"], given["watch"]) == ("0.0.0.0", DEFAULT_PORT, watches)
    # Indexing from the page, and a token for everybody, are nothing to bake in.
    assert given["index"] is None and given["token"] is None


def test_port_and_health_are_those_of_the_server(stages, service):
    final = stages[-1]
    assert values(final, "EXPOSE") == [str(DEFAULT_PORT)]
    assert service["ports"] == [f"127.0.0.1:{DEFAULT_PORT}:{DEFAULT_PORT}"]
    options, _, command = values(final, "HEALTHCHECK")[0].partition("CMD ")
    assert "--interval=" in options
    program, *arguments = json.loads(command)
    assert program == "python"
    (url,) = re.findall(r"'(http://127\.0\.0\.1:\d+)(/\w+)'", arguments[-1])
    assert url[0] == f"http://127.0.0.1:{DEFAULT_PORT}"
    # Without the token that everything else needs.
    locked = Guard(answer, rules=GuardRules(token="a-token-of-twenty-letters", allow_addresses=True))
    client = TestClient(locked, base_url=url[0])
    assert client.get(url[1]).status_code == 200
    assert client.get("/").status_code == 401
    # Port 9 (discard) has no server.
    nobody = arguments[-1].replace(f":{DEFAULT_PORT}", ":9")
    assert subprocess.run([sys.executable, *arguments[:-1], nobody], capture_output=True, check=False).returncode == 1


async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_extras_and_torch_are_those_of_the_project(stages, project, repository):
    (named,) = [rest.removeprefix("EXTRAS=") for rest in values(stages[0], "ARG") if rest.startswith("EXTRAS=")]
    extras = project["project"]["optional-dependencies"]
    assert {"web"} <= set(named.split(",")) <= extras.keys()
    pins = re.findall(r"^torch==", (repository / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(pins) == 1
    (torch, package) = [rest for rest in values(stages[0], "RUN") if "pip install" in rest]
    assert "--no-deps" in torch and "'^torch==' constraints.txt" in torch
    assert "-c constraints.txt" in package


def test_python_is_one_that_the_package_runs_on(stages, project):
    bases = {values(stage, "FROM")[0].split()[0] for stage in stages}
    assert len(bases) == 1
    (version,) = re.findall(r"^python:(\d\.\d+)-slim", bases.pop())
    assert f"Programming Language :: Python :: {version}" in project["project"]["classifiers"]


def test_what_the_package_is_built_from_is_copied_and_not_ignored(stages, project, repository):
    copied = {word.removesuffix("/") for rest in values(stages[0], "COPY") for word in rest.split()[:-1]}
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        "pyproject.toml",
        "constraints.txt",
        project["project"]["readme"],
        *project["project"]["license-files"],
        project["tool"]["hatch"]["version"]["path"],
        *wheel["packages"],
        *wheel["force-include"],
        *wheel["shared-data"],
    }
    assert {name for name in needed if not any(Path(name).is_relative_to(place) for place in copied)} == set()
    rules = (repository / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
    assert all((repository / name).exists() for name in copied)


def test_nothing_runs_as_root_and_pictures_are_only_read(stages, service):
    (user,) = values(stages[-1], "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert f"--uid {user.split(':')[0]} " in values(stages[-1], "RUN")[0]
    assert "user" not in service and "privileged" not in service
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    photos = [volume for volume in service["volumes"] if volume.startswith("$")]
    assert photos and all(volume.endswith(":ro") for volume in photos)


def test_what_is_written_lies_in_volumes(stages, service):
    known = set(re.findall(r"^(CLIPSEARCH_[A-Z_]+) ", settings.__doc__, re.MULTILINE))
    environment = variables(stages[-1])
    used = {name for name in {*environment, *service["environment"]} if name.startswith("CLIPSEARCH_")}
    assert used <= known
    places = {volume.rsplit(":", 1)[1] for volume in service["volumes"] if not volume.startswith("$")}
    written = {name: environment[name] for name in (*sorted(used & environment.keys()), "HF_HOME")}
    assert len(written) == 4
    assert {
        name for name, path in written.items() if not any(Path(path).is_relative_to(each) for each in places)
    } == set()
    made = values(stages[-1], "RUN")[0].split("install -d", 1)[1].split()
    assert places <= set(made)
