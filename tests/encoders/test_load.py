"""Which model one gets, asked of a hub on this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clipsearch.encoders.openvino.timing import TIMING_NAME, read_image_ms
from clipsearch.paths import cache_dir
from tests.support.fake_hub import FakeHub

CODE = """
import json, logging, os, shutil, subprocess, sys
from clipsearch.encoders import load
from clipsearch.encoders.hub import known_models
from clipsearch.types import ModelOptions
known_models.DEFAULT_MODEL, known_models.SECOND_DEFAULT_MODEL = "org/tiny", "org/second"
notices = []
handler = logging.Handler()
handler.emit = lambda record: notices.append(record.getMessage())
logging.getLogger("clipsearch").addHandler(handler)
def compile_by_copying(command, **options):
    shutil.copytree(os.environ["COMPILED"], command[-1], dirs_exist_ok=True)
    return subprocess.CompletedProcess(command, 0, "", "")
subprocess.run = compile_by_copying
encoder = load.load_chosen_encoder(
    ModelOptions(sys.argv[1] or None, runtime=os.environ.get("CLIPSEARCH_RUNTIME"), show_progress=True)
)
print(json.dumps({"name": encoder.name, "notices": notices}))
"""


def load(endpoint: str, home: Path, name: str = "", **variables: str) -> dict[str, object]:
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", **variables}
    command = [sys.executable, "-c", CODE, name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def tiny_files(tiny_clips) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in tiny_clips.find_source().iterdir()}


def test_the_default_is_downloaded_with_its_size_told_and_then_used_offline(
    tiny_files, compiled_clip, tmp_path, monkeypatch
):
    monkeypatch.setenv("COMPILED", str(compiled_clip))
    with FakeHub(tiny_files) as hub:
        first = load(hub.endpoint, tmp_path)
        assert first["name"] == "org/tiny"
        assert [notice.split(" (")[0].split(", ")[0] for notice in first["notices"]] == [
            "looking up org/tiny on the model hub",
            "downloading org/tiny",
            "compiling org/tiny for this machine",
            "measuring whether int8 is faster",
        ]
        hub.asked.clear()
        assert load(hub.endpoint, tmp_path) == {"name": "org/tiny", "notices": []}
        assert hub.asked == []
    # Of the compiled model, and of its int8 form.
    timings = list(cache_dir().glob(f"compiled/*/{TIMING_NAME}"))
    assert len(timings) == 2
    assert all(read_image_ms(timing.parent) > 0 for timing in timings)


def test_the_second_default_stands_in_where_the_first_can_not_be_had(tiny_files, tmp_path):
    with FakeHub(tiny_files, repo_id="org/second") as hub:
        first = load(hub.endpoint, tmp_path, CLIPSEARCH_RUNTIME="torch")
        assert first["name"] == "org/second"
        assert [notice.split(" (")[0] for notice in first["notices"]] == [
            "looking up org/tiny on the model hub, at most 5 seconds",
            "looking up org/second on the model hub, at most 5 seconds",
            "downloading org/second",
            "the hub has no model org/tiny, or it is private: check the spelling, or run 'hf auth login': using "
            "org/second, which finds less. To switch later: clipsearch model use org/tiny",
        ]
    # Cached now: also where the hub does not answer, and it is not asked again.
    asking, notice = load("http://127.0.0.1:9", tmp_path, CLIPSEARCH_RUNTIME="torch")["notices"]
    assert asking.startswith("looking up org/tiny")
    assert notice.startswith("the model hub can't be reached: using org/second, which finds less")
    (notice,) = load("http://127.0.0.1:9", tmp_path, CLIPSEARCH_RUNTIME="torch", HF_HUB_OFFLINE="1")["notices"]
    assert notice.startswith("the model hub is not used while HF_HUB_OFFLINE is set: using org/second")


@pytest.mark.parametrize("refusal", [(404, "RepoNotFound"), (401, "RepoNotFound"), (403, "GatedRepo"), (500, "")])
def test_a_hub_that_refuses_gives_the_starter_with_one_notice(tmp_path, refusal):
    with FakeHub({}, refusal=refusal) as hub:
        found = load(hub.endpoint, tmp_path)
    assert found["name"] == "starter"
    *asking, notice = found["notices"]
    names = ["org/tiny", "org/second"] if refusal[1] else ["org/tiny"]
    assert asking == [f"looking up {name} on the model hub, at most 5 seconds" for name in names]
    assert "clipsearch model use org/tiny" in notice


def test_a_hub_that_is_not_there_gives_the_starter_but_never_for_a_model_that_was_named(tmp_path):
    assert load("http://127.0.0.1:9", tmp_path)["name"] == "starter"
    with pytest.raises(subprocess.CalledProcessError) as caught:
        load("http://127.0.0.1:9", tmp_path, "org/tiny")
    assert "ModelUnavailableError" in caught.value.stderr
    assert "'--model starter' works without a download" in caught.value.stderr


def test_offline_nobody_says_that_the_hub_is_asked(tmp_path):
    with FakeHub({}) as hub:
        found = load(hub.endpoint, tmp_path, HF_HUB_OFFLINE="1")
        assert hub.asked == []
    assert found["name"] == "starter"
    (notice,) = found["notices"]
    assert notice.startswith("the model hub is not used while HF_HUB_OFFLINE is set: using the small starter model")
