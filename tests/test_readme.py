"""The README says what is: its sessions are run, its commands exist, every command stands in it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clipsearch.catalog import Catalog
from clipsearch.paths import sample_data_folder
from tests.milvus_server import MilvusServer


@pytest.fixture(scope="module")
def readme(repository) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


def sessions(readme: str) -> list[list[tuple[str, str]]]:
    """(command, output) pairs of each console block."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", readme, re.MULTILINE | re.DOTALL):
        parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
        found.append([(command, output.strip()) for command, output in zip(parts[1::2], parts[2::2], strict=True)])
    return found


def without_times(text: str) -> str:
    # Only a slow or busy machine says so.
    text = re.sub(r"^.*calibrating the scores .*\n?", "", text, flags=re.MULTILINE).strip()
    text = re.sub(r"in [\d.]+ s(, [\d.,]+ a second)?", "in T", text)
    # Another processor may round the last digit otherwise.
    return re.sub(r"(\d+\.\d)\d* ?%|(0\.\d\d)\d", r"\1\2", text)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("40 indexed in 9.7 s, 3.1 a second", "40 indexed in 1.1 s, 37 a second"),
        ("40 indexed in 0.0 s", "40 indexed in 1.1 s, 1,037 a second"),
        ("clipsearch: calibrating the scores of this model, once: about 9 s", ""),
        ("clipsearch: calibrating the scores …: about 9 s\n   1   31.3 %", "1   31.3 %"),
        ("1   31.3 %\nclipsearch: calibrating the scores …: about 9 s", "1   31.3 %"),
        ("3   31.3 %  0.398", "3   31.3 %  0.397"),
    ],
)
def test_a_slow_machine_may_say_so(said, written):
    assert without_times(said) == without_times(written)


def test_the_session_at_the_top_is_real(readme, tmp_path, monkeypatch):
    shutil.copytree(sample_data_folder(), tmp_path / "photos")
    (tmp_path / "photos" / "broken.jpg").write_text("not a picture")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("CLIPSEARCH_CATALOG", str(tmp_path / "catalog"))
    monkeypatch.setenv("CLIPSEARCH_MODEL", "starter")
    commands = sessions(readme)[0]
    assert len(commands) == 9
    for command, expected in commands:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert without_times((done.stdout + done.stderr).strip()) == without_times(expected), command


def index_samples(folder, monkeypatch) -> None:
    """The sample pictures as `photos`, indexed by the starter; commands find both."""
    shutil.copytree(sample_data_folder(), folder / "photos")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("CLIPSEARCH_CATALOG", str(folder / "catalog"))
    with Catalog.open(model="starter", create=True) as catalog:
        catalog.index(folder / "photos")


def test_the_session_of_heat_maps_is_real(readme, tmp_path, monkeypatch):
    index_samples(tmp_path, monkeypatch)
    (session,) = [found for found in sessions(readme) if any("clipsearch explain" in command for command, _ in found)]
    ((command, expected),) = session
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert without_times((done.stdout + done.stderr).strip()) == without_times(expected)
    assert (tmp_path / "map.png").stat().st_size > 10_000


def test_the_answer_of_the_http_api_is_real(readme, tmp_path, monkeypatch):
    from tests.web.conftest import client_of

    index_samples(tmp_path, monkeypatch)
    (url,) = re.findall(r"^curl 'http://127.0.0.1:8123(/api/search\S*)'", readme, re.MULTILINE)
    said = json.loads(re.search(r'```json\n(\{\n  "query".*?)```', readme, re.DOTALL)[1])
    with Catalog.open(shared=True) as catalog, client_of(catalog) as client:
        found = client.get(url).json()
    for hit in found["hits"]:
        hit |= {name: round(hit[name], 3) for name in ("score", "relevance")}
    said["next"] = found["next"]
    for one, other in zip(found["hits"], said["hits"], strict=True):
        near = {name: pytest.approx(other[name], abs=0.01) for name in ("score", "relevance")}
        assert one == {**other, **near}
    assert {**found, "hits": []} == {**said, "hits": []}


def test_the_session_of_care_is_real(readme, tmp_path, monkeypatch):
    index_samples(tmp_path, monkeypatch)
    with Catalog.open() as catalog:
        catalog.add_captions([f"caption {number}" for number in range(40)])
    (session,) = [found for found in sessions(readme) if any("clipsearch gc" in command for command, _ in found)]
    assert len(session) == 7
    codes = []
    for command, expected in session:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert without_names(done.stdout.strip()) == without_names(expected), command
        codes.append(done.returncode)
    assert codes == [0, 0, 0, 0, 1, 0, 0]


def test_the_session_of_milvus_is_real(readme, tmp_path, monkeypatch):
    pytest.importorskip("pymilvus")
    pytest.importorskip("milvus_lite")
    shutil.copytree(sample_data_folder(), tmp_path / "photos")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("CLIPSEARCH_CATALOG", str(tmp_path / "catalog"))
    monkeypatch.setenv("CLIPSEARCH_MODEL", "starter")
    (session,) = [found for found in sessions(readme) if any("clipsearch reindex" in command for command, _ in found)]
    assert len(session) == 5
    server = MilvusServer(tmp_path / "milvus")
    server.start()
    try:
        for command, expected in session:
            here = command.replace(":19530", f":{server.port}")
            done = subprocess.run(["bash", "-c", here], cwd=tmp_path, capture_output=True, text=True, check=True)
            said = (done.stdout + done.stderr).strip().replace(f":{server.port}", ":19530")
            assert without_names(said) == without_names(expected), command
    finally:
        server.stop()


def test_the_session_of_ray_is_real(readme, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    shutil.copytree(sample_data_folder(), tmp_path / "photos")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("CLIPSEARCH_CATALOG", str(tmp_path / "catalog"))
    monkeypatch.setenv("CLIPSEARCH_MODEL", "starter")
    (session,) = [found for found in sessions(readme) if any("--runner ray" in command for command, _ in found)]
    codes = []
    for command, expected in session:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert without_times((done.stdout + done.stderr).strip()) == without_times(expected), command
        codes.append(done.returncode)
    assert codes == [0, 0, 2]


def test_the_session_of_postgresql_is_real(readme, tmp_path, monkeypatch, postgres):
    shutil.copytree(sample_data_folder(), tmp_path / "photos")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("CLIPSEARCH_MODEL", "starter")
    written, url = "postgresql+psycopg://localhost/photos", postgres.make_database()
    (session,) = [found for found in sessions(readme) if any(written in command for command, _ in found)]
    assert len(session) == 3
    for command, expected in session:
        here = command.replace(written, f"'{url}'")
        done = subprocess.run(["bash", "-c", here], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert without_times((done.stdout + done.stderr).strip()) == without_times(expected), command


def test_the_session_of_the_language_is_real(readme, tmp_path, monkeypatch):
    index_samples(tmp_path, monkeypatch)
    (session,) = [found for found in sessions(readme) if any("type:webp" in command for command, _ in found)]
    for command, expected in session:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert without_times((done.stderr + done.stdout).strip()) == without_times(expected), command
        assert done.returncode == (2 if "takn" in command or "D80" in command else 0)


def test_the_session_of_labels_is_real(readme, tmp_path, monkeypatch):
    index_samples(tmp_path, monkeypatch)
    (session,) = [found for found in sessions(readme) if any("clipsearch labels" in command for command, _ in found)]
    assert len(session) == 4
    for command, expected in session:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
        lines = without_times((done.stderr + done.stdout).strip()).splitlines()
        assert sorted(lines) == sorted(without_times(expected).splitlines()), command


@pytest.mark.parametrize("part", ["clipsearch cluster", "--html"])
def test_the_session_of_groups_and_that_of_sheets_are_real(readme, tmp_path, monkeypatch, part):
    index_samples(tmp_path, monkeypatch)
    (session,) = [found for found in sessions(readme) if any(part in command for command, _ in found)]
    ((command, expected),) = session
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    said = (done.stderr + done.stdout).strip().replace(str(tmp_path), "/home/me")
    assert without_times(said) == without_times(expected)


def test_the_session_of_duplicates_is_real(readme, tmp_path, monkeypatch):
    index_samples(tmp_path, monkeypatch)
    (session,) = [found for found in sessions(readme) if any("clipsearch dupes" in command for command, _ in found)]
    assert len(session) == 3
    for command, expected in session:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert without_times((done.stderr + done.stdout).strip()) == without_times(expected), command


def test_the_session_of_cells_is_real(readme, tmp_path, monkeypatch):
    index_samples(tmp_path, monkeypatch)
    (session,) = [found for found in sessions(readme) if any("--ann" in command for command, _ in found)]
    for command, expected in session:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
        # How k-means divides so few pictures is a matter of the last digits.
        said, written = (
            without_times(re.sub(r"into \d of|\b[01]\.\d{3}", "N", text)) for text in (done.stdout.strip(), expected)
        )
        assert (said, without_times(done.stderr)) == (written, ""), command


def test_the_session_of_embeddings_in_files_is_real(readme, tmp_path, monkeypatch):
    index_samples(tmp_path, monkeypatch)
    (session,) = [found for found in sessions(readme) if any("clipsearch export" in command for command, _ in found)]
    assert len(session) == 4
    for command, expected in session:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert without_names((done.stderr + done.stdout).strip()) == without_names(expected), command


def test_the_session_of_eval_is_real(readme, tmp_path, monkeypatch):
    shutil.copytree(sample_data_folder(), tmp_path / "photos")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    (session,) = [found for found in sessions(readme) if any("clipsearch eval" in command for command, _ in found)]
    assert len(session) == 3
    for command, expected in session:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
        said, notices = without_times(done.stdout), without_times(done.stderr)
        assert (said, notices) == (without_times(expected), ""), command


def without_names(text: str) -> str:
    """Checksums in names, sizes and times differ from machine to machine."""
    return without_times(re.sub(r"\b[0-9a-f]{16}\b|\d{8}-\d{6}|[\d.]+ K?B\b", "N", text))


def test_a_url_gets_the_line_it_shows(readme, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("CLIPSEARCH_CATALOG", str(tmp_path / "catalog"))
    with Catalog.open(create=True):
        pass
    ((command, expected),) = [pair for session in sessions(readme) for pair in session if "https://" in pair[0]]
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (2, "", expected)


def test_its_python_runs(readme, tmp_path):
    shutil.copytree(sample_data_folder(), tmp_path / "photos")
    shutil.copy(tmp_path / "photos" / "animals" / "cat.jpg", tmp_path / "photos" / "cat.jpg")
    shutil.copy(tmp_path / "photos" / "food" / "donut.png", tmp_path / "photos" / "x.jpg")
    (code,) = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    first, caption, best, peak = done.stdout.splitlines()
    assert first.startswith("1 0.39")
    assert caption == "a glazed donut"
    assert best.startswith("a photo of a donut 0.99")
    assert re.fullmatch(r"\(0\.\d+, 0\.\d+\)", peak)


def commands() -> dict[str, set[str]]:
    """Every command, with the commands below it."""
    from clipsearch.cli import app

    found: dict[str, set[str]] = {str(command.name): set() for command in app.registered_commands}
    for group in app.registered_groups:
        assert group.typer_instance is not None
        found[str(group.name)] = {str(command.name) for command in group.typer_instance.registered_commands}
    return found


def code_of(text: str) -> tuple[list[str], list[str]]:
    """What is written as code: (blocks of commands, the spans between backticks in the text around)."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    blocks = [block for language, block in fenced if language in {"console", "sh"}]
    around = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return blocks, [" ".join(span.split()) for span in around.split("`")[1::2]]


def wrong_commands(text: str) -> list[str]:
    """What the text calls a command and is none."""
    known = commands()
    blocks, spans = code_of(text)
    quoted = re.findall(r"'(clipsearch [^']+)'", text)
    wrong = []
    for code in (*blocks, *spans, *quoted):
        for command, below in re.findall(r"\bclipsearch ([a-z][\w-]*)(?: ([a-z][\w-]*))?", code):
            if command not in known:
                wrong.append(command)
            elif known[command] and below and below not in known[command]:
                wrong.append(f"{command} {below}")
    for span in spans:
        command, _, below = span.partition(" ")
        if known.get(command) and below and re.match(r"[a-z]", below) and below.split()[0] not in known[command]:
            wrong.append(span)
    # A command of a group is not one by itself.
    return wrong + [span for span in spans if span in set().union(*known.values()) - set(known)]


def test_every_command_in_it_exists_and_every_command_is_in_it(readme):
    assert wrong_commands(readme) == []
    blocks, spans = code_of(readme)
    there = {f"{command} {below}" for command, group in commands().items() for below in group}
    there |= {command for command, group in commands().items() if not group}
    written = "\n".join([*blocks, *spans])
    assert {name for name in there if re.search(rf"(^|\bclipsearch ){name}\b", written, re.MULTILINE)} == there


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`clipsearch show 3`", ["show"]),
        ("Thumbnails, `show` and `dupes`", ["show"]),
        ("as 'clipsearch find cat' does", ["find"]),
        ("```console\n$ clipsearch lables add x\n```\n", ["lables"]),
        ("```sh\nTOKEN=x clipsearch captions edit\n```\n", ["captions edit"]),
        ("`model switch NAME`", ["model switch NAME"]),
        ("`model` and `labels show NAME`, clipsearch flushes, `clipsearch --help`, `clipsearch model use\nNAME`", []),
    ],
)
def test_a_command_that_does_not_exist_would_be_noticed(text, wrong):
    assert wrong_commands(text) == wrong


def test_its_links_lead_somewhere(readme, repository):
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        assert (repository / target).exists(), target


def test_continuous_integration_runs_its_test_command(readme, repository):
    commands = re.findall(r"^python3 -m venv .*$", readme, re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("clipsearch demo")
    assert commands[1].endswith("pytest")
    assert all("-c constraints.txt" in command for command in commands)
    assert "readme_command 'pytest'" in (repository / ".ci" / "run").read_text()
