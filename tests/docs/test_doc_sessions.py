"""Sessions and code in the documentation run and give what they show."""

import asyncio
import contextlib
import io
import json
import re
import shutil
import signal
import subprocess
import sys

import pytest

from clipsearch import Catalog
from tests.docs.pages import find_session, python_blocks, run, run_in_shell, sessions, without_names, without_times
from tests.support.milvus_server import MilvusServer

# A part of a command by which each session is known.
README = "--labels lvis --top 2"
FIRST_STEPS = "clipsearch captions add"
COMMAND_LINE = "--images photos/food/"
LANGUAGE = "type:webp"
URL = "https://example.org"
SHEET = "--html"
HEAT_MAP = "clipsearch explain"
LABELS = "clipsearch labels"
DUPLICATES = "clipsearch dupes"
CLUSTERS = "clipsearch cluster"
CURATION = "clipsearch unusual"
CELLS = "--ann"
EMBEDDINGS = "clipsearch export"
CARE = "clipsearch gc"
MILVUS = "clipsearch reindex"
POSTGRESQL = "--catalog postgresql"
RAY = "--runner ray"
EVAL = "clipsearch eval"
CONCEPTS = "clipsearch concept"
SAVED = "clipsearch save "
ALBUMS = "clipsearch album"
RUN = {
    README, FIRST_STEPS, COMMAND_LINE, LANGUAGE, URL, SHEET, HEAT_MAP, LABELS, DUPLICATES, CLUSTERS, CURATION, CELLS,
    EMBEDDINGS, CARE, MILVUS, POSTGRESQL, RAY, EVAL, CONCEPTS, SAVED, ALBUMS,
}  # fmt: skip
# They need a model that is not on every machine.
NOT_RUN = {"clipsearch model inspect openai/", "clipsearch bench --model random-clip"}


def test_every_session_is_run(pages):
    for text in pages.values():
        for session in sessions(text):
            commands = "\n".join(command for command, _ in session)
            assert len([part for part in RUN | NOT_RUN if part in commands]) == 1, commands


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


def check_session(session, folder, *, is_stderr_first: bool, run_command=run) -> None:
    """Run the commands, and compare what they print with what the page shows; times may differ."""
    for command, expected in session:
        done = run_command(command, folder)
        said = done.stderr + done.stdout if is_stderr_first else done.stdout + done.stderr
        assert without_times(said.strip()) == without_times(expected), command


def test_the_session_of_the_readme_is_real(pages, samples):
    session = find_session(pages, README)
    assert len(session) == 4
    check_session(session, samples, is_stderr_first=True, run_command=run_in_shell)


def test_the_first_steps_are_real(pages, samples):
    (samples / "photos" / "broken.jpg").write_text("not a picture")
    session = find_session(pages, FIRST_STEPS)
    assert len(session) == 9
    check_session(session, samples, is_stderr_first=False)


def test_the_session_of_the_command_line_is_real(pages, samples):
    (samples / "photos" / "broken.jpg").write_text("not a picture")
    run("clipsearch index photos", samples)
    run("clipsearch captions add photos/captions.jsonl", samples)
    session = find_session(pages, COMMAND_LINE)
    assert len(session) == 3
    for command, expected in session:
        said = run(command, samples).stdout.strip()
        said = said.replace(str(samples / "catalog"), "/home/me/.local/share/clipsearch")
        said = said.replace(str(samples), "/home/me")
        said, written = (without_runs(text) for text in (said, expected))
        assert said == written, command


def without_runs(text: str) -> str:
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d, [\d.]+ s", "T", text)
    return without_names(re.sub(r"(\d\.\d\d)\d+…?", r"\1", text))


def test_the_session_of_heat_maps_is_real(pages, indexed):
    session = find_session(pages, HEAT_MAP)
    assert len(session) == 1
    check_session(session, indexed, is_stderr_first=False)
    assert (indexed / "map.png").stat().st_size > 10_000


def test_the_answer_of_the_http_api_is_real(pages, indexed):
    from tests.web.conftest import client_of

    page = pages["docs/web-and-api.md"]
    (url,) = re.findall(r"^curl 'http://127.0.0.1:8123(/api/search\S*)'", page, re.MULTILINE)
    said = json.loads(re.search(r'```json\n(\{\n  "query".*?)```', page, re.DOTALL)[1])
    with Catalog.open(shared=True) as catalog, client_of(catalog) as client:
        found = client.get(url).json()
    for hit in found["hits"]:
        hit |= {name: round(hit[name], 3) for name in ("score", "relevance")}
    said["next"] = found["next"]
    for one, other in zip(found["hits"], said["hits"], strict=True):
        near = {name: pytest.approx(other[name], abs=0.01) for name in ("score", "relevance")}
        assert one == {**other, **near}
    assert {**found, "hits": []} == {**said, "hits": []}


def test_every_tool_for_assistants_has_an_example_that_works(pages, indexed):
    pytest.importorskip("mcp", reason="mcp is not installed: pip install -e '.[mcp]'")
    from mcp import Client

    from clipsearch.mcp_server import make_server

    section = pages["docs/web-and-api.md"].partition("## Assistants (MCP)")[2]
    examples = re.findall(r"^\| `(\w+)` \|.*\| `(\{.*\})` \|$", section, re.MULTILINE)

    async def call_all(catalog) -> set[str]:
        async with Client(make_server(catalog)) as client:
            for name, arguments in examples:
                answer = await client.call_tool(name, json.loads(arguments))
                assert not answer.is_error, (name, answer.content)
                assert answer.content[0].text, name
            return {tool.name for tool in (await client.list_tools()).tools}

    with Catalog.open(shared=True) as catalog:
        catalog.captions.add(["a glazed donut"])
        assert asyncio.run(call_all(catalog)) == {name for name, _ in examples}


def test_every_route_of_the_http_api_stands_in_the_page(pages, indexed):
    from clipsearch.web.app import make_app

    section = pages["docs/web-and-api.md"].partition("## HTTP API")[2].partition("\n## ")[0]
    with Catalog.open(shared=True) as catalog:
        paths = make_app(catalog).openapi()["paths"]
    assert len(paths) > 20
    for path in paths:
        named = path.replace("{id}", "ID").replace("{name}", "NAME").replace("/api/items/ID/", "…/")
        assert re.search(rf"[` ]{re.escape(named)}[`?]", section), path


def test_the_session_of_care_is_real(pages, indexed):
    with Catalog.open() as catalog:
        catalog.captions.add([f"caption {number}" for number in range(40)])
    session = find_session(pages, CARE)
    assert len(session) == 7
    codes = []
    for command, expected in session:
        done = run(command, indexed, check=False)
        assert without_names(done.stdout.strip()) == without_names(expected), command
        codes.append(done.returncode)
    assert codes == [0, 0, 0, 0, 1, 0, 0]


def test_the_session_of_milvus_is_real(pages, samples):
    pytest.importorskip("pymilvus")
    pytest.importorskip("milvus_lite")
    session = find_session(pages, MILVUS)
    assert len(session) == 5
    server = MilvusServer(samples / "milvus")
    server.start()
    try:
        for command, expected in session:
            done = run(command.replace(":19530", f":{server.port}"), samples)
            said = (done.stdout + done.stderr).strip().replace(f":{server.port}", ":19530")
            assert without_names(said) == without_names(expected), command
    finally:
        server.stop()


# What Ray says about its own settings.
@pytest.mark.filterwarnings(r"ignore:.use_\w+. is deprecated:DeprecationWarning")
def test_the_session_of_ray_is_real_and_its_ray_goes_with_the_run(pages, samples):
    ray = pytest.importorskip("ray")
    before = signal.getsignal(signal.SIGTERM)
    codes = []
    for command, expected in find_session(pages, RAY):
        done = run(command, samples, check=False)
        assert without_times((done.stdout + done.stderr).strip()) == without_times(expected), command
        codes.append(done.returncode)
        assert not ray.is_initialized()
        assert signal.getsignal(signal.SIGTERM) is before
    assert codes == [0, 0, 2]


def test_the_session_of_postgresql_is_real(pages, samples, postgres):
    written, url = "postgresql+psycopg://localhost/photos", postgres.make_database()
    session = find_session(pages, POSTGRESQL)
    assert len(session) == 3
    for command, expected in session:
        check_session([(command.replace(written, f"'{url}'"), expected)], samples, is_stderr_first=False)


def test_the_session_of_the_language_is_real(pages, indexed):
    for command, expected in find_session(pages, LANGUAGE):
        done = run(command, indexed, check=False)
        assert without_times((done.stderr + done.stdout).strip()) == without_times(expected), command
        assert done.returncode == (2 if "takn" in command or "D80" in command else 0)


def test_the_session_of_labels_is_real(pages, indexed):
    session = find_session(pages, LABELS)
    assert len(session) == 4
    for command, expected in session:
        done = run(command, indexed)
        lines = without_times((done.stderr + done.stdout).strip()).splitlines()
        assert sorted(lines) == sorted(without_times(expected).splitlines()), command


def test_the_session_of_concepts_is_real(pages, indexed):
    for command, expected in find_session(pages, CONCEPTS):
        done = run(command, indexed)
        assert without_times((done.stderr + done.stdout).strip()) == without_times(expected), command
    run("clipsearch concept remove wheels", indexed)


@pytest.mark.parametrize("part", [SAVED, ALBUMS])
def test_the_sessions_of_saved_searches_and_of_albums_are_real(pages, indexed, part):
    check_session(find_session(pages, part), indexed, is_stderr_first=True)


@pytest.mark.parametrize("part", [CLUSTERS, SHEET])
def test_the_session_of_groups_and_that_of_sheets_are_real(pages, indexed, part):
    ((command, expected),) = find_session(pages, part)
    done = run(command, indexed)
    said = (done.stderr + done.stdout).strip().replace(str(indexed), "/home/me")
    assert without_times(said) == without_times(expected)


def test_the_session_of_curation_is_real(pages, indexed):
    session = find_session(pages, CURATION)
    assert len(session) == 3
    check_session(session, indexed, is_stderr_first=True)


def test_the_session_of_duplicates_is_real(pages, indexed):
    session = find_session(pages, DUPLICATES)
    assert len(session) == 3
    check_session(session, indexed, is_stderr_first=True)


def test_the_session_of_cells_is_real(pages, indexed):
    for command, expected in find_session(pages, CELLS):
        done = run(command, indexed)
        # How k-means divides so few pictures is a matter of the last digits.
        said, written = (
            without_times(re.sub(r"probes \d of|\b[01]\.\d{3}", "N", text)) for text in (done.stdout.strip(), expected)
        )
        assert (said, without_times(done.stderr)) == (written, ""), command


def test_the_session_of_embeddings_in_files_is_real(pages, indexed):
    session = find_session(pages, EMBEDDINGS)
    assert len(session) == 4
    for command, expected in session:
        done = run(command, indexed)
        assert without_names((done.stderr + done.stdout).strip()) == without_names(expected), command


def test_the_session_of_eval_is_real(pages, samples):
    session = find_session(pages, EVAL)
    assert len(session) == 3
    for command, expected in session:
        done = run(command, samples)
        assert (without_times(done.stdout), without_times(done.stderr)) == (without_times(expected), ""), command


def test_a_url_gets_the_line_it_shows(pages, samples):
    with Catalog.open(create=True):
        pass
    ((command, expected),) = find_session(pages, URL)
    done = run(command, samples, check=False)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (2, "", expected)


def test_the_python_of_the_api_runs(pages, samples):
    shutil.copy(samples / "photos" / "animals" / "cat.jpg", samples / "photos" / "cat.jpg")
    shutil.copy(samples / "photos" / "food" / "donut.png", samples / "photos" / "x.jpg")
    (code,) = python_blocks(pages["docs/python-api.md"])
    said = io.StringIO()
    with contextlib.chdir(samples), contextlib.redirect_stdout(said):
        exec(compile(code, "docs/python-api.md", "exec"), {"__name__": "__main__"})
    first, caption, best, peak = said.getvalue().splitlines()
    assert first.startswith("1 0.39")
    assert caption == "a glazed donut"
    assert best.startswith("a photo of a donut 0.99")
    assert re.fullmatch(r"\(0\.\d+, 0\.\d+\)", peak)


def test_the_python_of_the_readme_runs(pages, samples):
    (code,) = python_blocks(pages["README.md"])
    done = subprocess.run([sys.executable, "-c", code], cwd=samples, capture_output=True, text=True, check=True)
    first, *_, caption = done.stdout.splitlines()
    assert re.fullmatch(r"0\.\d\d (/.*)", first)[1] == str(samples / "photos" / "food" / "donut.png")
    assert caption == "a glazed donut"


def test_only_these_pages_have_python(pages):
    assert {name for name, text in pages.items() if python_blocks(text)} == {"README.md", "docs/python-api.md"}
