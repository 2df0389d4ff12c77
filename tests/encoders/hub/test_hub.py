"""Names, the local cache, and downloads from a hub on 127.0.0.1.

Downloads run in processes of their own: huggingface_hub reads its endpoint and its cache folder when it is imported.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipsearch.encoders.hub import hub
from clipsearch.encoders.hub.known_models import KNOWN_MODELS
from clipsearch.errors import ModelError, ModelUnavailableError
from tests.support.fake_hub import COMMIT, FakeHub

WEIGHTS = bytes(range(256)) * 8192  # 2 MiB
SMALL = {
    "config.json": b'{"model_type": "clip"}',
    "preprocessor_config.json": b"{}",
    "tokenizer.json": b'{"version": "1.0"}',
    "tokenizer_config.json": b'{"model_max_length": 77}',
}
NOT_WANTED = {
    "pytorch_model.bin": b"pickle" * 1000,
    "tf_model.h5": b"h5",
    "flax_model.msgpack": b"flax",
    "onnx/model.onnx": b"onnx",
    "model.fp16.safetensors": b"half",
    "open_clip_model.safetensors": b"the same weights again",
    "README.md": b"# tiny",
}


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    with FakeHub({**SMALL, **NOT_WANTED, "model.safetensors": WEIGHTS}) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "hf"


def start(code: str, endpoint: str, home: Path, **environment: str) -> subprocess.Popen[str]:
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    variables |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", **environment}
    program = f"""
import json, sys, time, warnings
from clipsearch.encoders.hub import hub
from clipsearch.encoders.hub.known_models import KNOWN_MODELS
from clipsearch.errors import ClipSearchError
began = time.monotonic()
try:
    answer = {{"value": {code}}}
except ClipSearchError as error:
    answer = {{"error": type(error).__name__, "text": str(error), "exit_code": error.exit_code}}
answer["seconds"] = time.monotonic() - began
print(json.dumps(answer, default=str))
"""
    return subprocess.Popen(
        [sys.executable, "-c", program], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(code: str, endpoint: str, home: Path, **environment: str) -> dict[str, object]:
    """Evaluates `code` in a new process; what it returned or raised. Anything on stderr is a failure."""
    process = start(code, endpoint, home, **environment)
    out, err = process.communicate(timeout=60)
    assert err == ""
    answer: dict[str, object] = json.loads(out)
    return answer


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("org/name", ("org/name", None)),
        ("org/name@main", ("org/name", "main")),
        ("org/na.me-1_x@refs/pr/12", ("org/na.me-1_x", "refs/pr/12")),
        (f"org/name@{COMMIT}", ("org/name", COMMIT)),
    ],
)
def test_names_are_read(name: str, expected: tuple[str, str | None]) -> None:
    assert hub.parse_model_name(name) == expected


@pytest.mark.parametrize(
    "name",
    ["", "name", "a/b/c", "org/", "/name", "org/name@", "org/name@../../x", "../name", "org/na me", "https://x/y"],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="invalid model name"):
        hub.parse_model_name(name)


def test_known_models_are_pinned() -> None:
    for known in KNOWN_MODELS:
        assert hub.resolve_revision(known.name) == (known.name, known.revision)
        assert len(known.revision) == 40
    assert hub.resolve_revision("openai/clip-vit-base-patch32@main")[1] == "main"
    assert hub.resolve_revision("org/other")[1] == "main"


def test_pull_brings_what_is_needed_and_nothing_else(fake: FakeHub, home: Path) -> None:
    assert run("hub.find_cached('org/tiny')", fake.endpoint, home)["value"] is None
    directory = Path(str(run("hub.pull('org/tiny')", fake.endpoint, home)["value"]))
    assert directory.name == COMMIT
    assert sorted(path.name for path in directory.iterdir()) == sorted([*SMALL, "model.safetensors"])
    assert (directory / "model.safetensors").read_bytes() == WEIGHTS
    assert fake.fetched() == sorted([*SMALL, "model.safetensors"])
    for name in ("org/tiny", "org/tiny@main", f"org/tiny@{COMMIT}"):
        assert run(f"hub.find_cached({name!r})", fake.endpoint, home)["value"] == str(directory)


def test_the_small_files_come_before_the_weights(fake: FakeHub, home: Path) -> None:
    run("hub.pull('org/tiny')", fake.endpoint, home)
    contents = [path.rsplit("/", 1)[1] for method, path, _ in fake.asked if method == "GET" and "/resolve/" in path]
    assert contents[-1] == "model.safetensors"


def test_a_second_pull_downloads_nothing(fake: FakeHub, home: Path) -> None:
    run("hub.pull('org/tiny')", fake.endpoint, home)
    fake.asked.clear()
    run(f"hub.pull('org/tiny@{COMMIT}')", fake.endpoint, home)
    assert fake.asked == []
    run("hub.pull('org/tiny')", fake.endpoint, home)  # a branch may have moved: asked, but nothing is fetched
    assert fake.asked != []
    assert fake.fetched() == []


def test_a_killed_download_goes_on_where_it_stopped(fake: FakeHub, home: Path) -> None:
    kept = kill_halfway("hub.pull('org/tiny')", fake, home)
    assert run("hub.find_cached('org/tiny')", fake.endpoint, home)["value"] is None

    directory = Path(str(run("hub.pull('org/tiny')", fake.endpoint, home)["value"]))
    assert (directory / "model.safetensors").read_bytes() == WEIGHTS
    ranges = [wanted for method, path, wanted in fake.asked if method == "GET" and path == "/storage/model.safetensors"]
    assert ranges == [f"bytes={kept}-"]
    late = 1 << 16  # one piece may still have been on its way to the killed process
    assert fake.sent_bytes["model.safetensors"] <= len(WEIGHTS) - kept + late
    assert list(home.glob("hub/*/blobs/*.incomplete")) == []


def test_huggingface_hub_alone_starts_from_the_beginning(home: Path) -> None:
    """`hub.download` exists because of this: when huggingface_hub resumes, it is not needed any more."""
    download = "__import__('huggingface_hub').hf_hub_download('org/tiny', 'model.safetensors')"
    weights = WEIGHTS * 16  # huggingface_hub writes 10 MB at once
    with FakeHub({"model.safetensors": weights}) as fake:
        assert kill_halfway(download, fake, home, delay_s=0.02) < len(weights)
        assert Path(str(run(download, fake.endpoint, home)["value"])).read_bytes() == weights
    ranges = [wanted for method, path, wanted in fake.asked if method == "GET" and path == "/storage/model.safetensors"]
    assert ranges == [None]
    assert fake.sent_bytes["model.safetensors"] >= len(weights)  # and a piece for the killed process


def kill_halfway(code: str, fake: FakeHub, home: Path, *, delay_s: float = 0.1) -> int:
    """Begin a download and kill its process; the bytes that it leaves. The record of the hub begins anew."""
    fake.delay_s = delay_s
    process = start(code, fake.endpoint, home)
    partial = None
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        partial = next(home.glob("hub/*/blobs/*.incomplete"), None)
        with contextlib.suppress(FileNotFoundError):  # a small file is whole by now
            if partial is not None and partial.stat().st_size > 1 << 19:
                break
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert partial is not None
    kept = partial.stat().st_size
    assert 1 << 19 < kept < len(fake.files["model.safetensors"])
    fake.delay_s = 0.0
    fake.asked.clear()
    fake.sent_bytes.clear()
    return kept


def test_a_server_without_ranges_sends_it_all_again(fake: FakeHub, home: Path) -> None:
    leave_partial(home, WEIGHTS[:1000])
    fake.ignores_ranges = True
    directory = Path(str(run("hub.pull('org/tiny')", fake.endpoint, home)["value"]))
    assert (directory / "model.safetensors").read_bytes() == WEIGHTS


def test_damaged_bytes_are_noticed_and_deleted(fake: FakeHub, home: Path) -> None:
    partial = leave_partial(home, b"\xff" * 1000)
    answer = run("hub.pull('org/tiny')", fake.endpoint, home)
    assert answer["error"] == "ModelError"
    assert "was damaged in transfer" in str(answer["text"])
    assert not partial.exists()
    assert run("hub.find_cached('org/tiny')", fake.endpoint, home)["value"] is None
    assert "value" in run("hub.pull('org/tiny')", fake.endpoint, home)


def leave_partial(home: Path, content: bytes) -> Path:
    """What an earlier, interrupted download leaves."""
    import hashlib

    partial = home / "hub" / "models--org--tiny" / "blobs" / f"{hashlib.sha256(WEIGHTS).hexdigest()}.incomplete"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(content)
    return partial


def test_weights_in_several_files(home: Path) -> None:
    shards = {f"model-0000{row}-of-00002.safetensors": bytes([row]) * 1000 for row in (1, 2)}
    index = json.dumps(
        {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    )
    with FakeHub({**SMALL, **shards, "model.safetensors.index.json": index.encode()}) as fake:
        directory = Path(str(run("hub.pull('org/tiny')", fake.endpoint, home)["value"]))
        assert {path.name for path in directory.iterdir()} >= set(shards)
        (directory / "model-00002-of-00002.safetensors").unlink()
        assert run("hub.find_cached('org/tiny')", fake.endpoint, home)["value"] is None


@pytest.mark.parametrize("gone", ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"])
def test_a_copy_that_lacks_a_file_is_not_complete(gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--org--tiny" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for name in [*SMALL, "model.safetensors"]:
        (snapshot / name).write_bytes(b"{}")
    assert hub.find_cached(f"org/tiny@{COMMIT}") == snapshot
    (snapshot / gone).unlink()
    assert hub.find_cached(f"org/tiny@{COMMIT}") is None


def test_probe_says_what_a_download_takes(fake: FakeHub, home: Path) -> None:
    expected = len(WEIGHTS) + sum(map(len, SMALL.values()))
    assert run("hub.probe('org/tiny')", fake.endpoint, home)["value"] == expected
    assert fake.fetched() == []


def test_without_safetensors_the_answer_is_an_error(home: Path) -> None:
    with FakeHub({**SMALL, "pytorch_model.bin": b"x"}) as fake:
        answer = run("hub.pull('org/tiny')", fake.endpoint, home)
        assert answer["error"] == "ModelError"
        assert "org/tiny@refs/pr/N" in str(answer["text"])
        assert fake.fetched() == []
        assert run("hub.probe('org/tiny')", fake.endpoint, home)["error"] == "ModelError"


@pytest.mark.parametrize(
    ("refusal", "name", "expected"),
    [
        (None, "org/missing", "no model org/missing"),
        (None, "org/tiny@v9", "no revision 'v9'"),
        ((403, "GatedRepo"), "org/tiny", "accept its terms"),
        ((401, "RepoNotFound"), "org/tiny", "or it is private"),
    ],
)
def test_refusals_say_what_to_do(
    refusal: tuple[int, str] | None, name: str, expected: str, fake: FakeHub, home: Path
) -> None:
    fake.refusal = refusal
    answer = run(f"hub.pull({name!r})", fake.endpoint, home)
    assert (answer["error"], answer["exit_code"]) == ("ModelError", 1)
    assert expected in str(answer["text"])


TOKEN = "hf_a_token_that_nobody_else_may_see"


@pytest.mark.parametrize("is_in_file", [False, True])
def test_the_hubs_token_is_shown_to_the_hub_alone(fake: FakeHub, home: Path, is_in_file: bool) -> None:
    if is_in_file:
        home.mkdir()
        (home / "token").write_text(TOKEN)
    answer = run("hub.pull('org/tiny')", fake.endpoint, home, **({} if is_in_file else {"HF_TOKEN": TOKEN}))
    assert Path(str(answer["value"]), "model.safetensors").read_bytes() == WEIGHTS
    assert fake.shown == {("127.0.0.1", f"Bearer {TOKEN}"), ("localhost", None)}  # large files lie on another host


@pytest.mark.parametrize(
    "refusal", [(401, ""), (401, "RepoNotFound"), (403, "GatedRepo"), (403, ""), (500, ""), (400, "")]
)
def test_no_refusal_tells_the_token(fake: FakeHub, home: Path, refusal: tuple[int, str]) -> None:
    fake.refusal = refusal
    answer = run("hub.pull('org/tiny')", fake.endpoint, home, HF_TOKEN=TOKEN)  # nothing on stderr
    assert "error" in answer and TOKEN not in str(answer)


@pytest.mark.parametrize("odd", ["\x01", "é", "\u2026", " x", "\x7f", "\udcff", "\nx"])
def test_a_token_that_can_not_be_sent_is_not_told(fake: FakeHub, home: Path, odd: str) -> None:
    answer = run("hub.pull('org/tiny')", fake.endpoint, home, HF_TOKEN=TOKEN + odd)
    assert TOKEN not in str(answer) and {host for host, shown in fake.shown if shown} <= {"127.0.0.1"}


def test_unreachable_is_said_within_seconds(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    # the port is free again: connections are refused
    endpoint = f"http://127.0.0.1:{port}"
    answer = run("hub.pull('org/tiny')", endpoint, home)
    assert (answer["error"], answer["exit_code"]) == ("ModelUnavailableError", 4)
    assert "clipsearch model pull org/tiny" in str(answer["text"])
    assert float(str(answer["seconds"])) < 7
    answer = run("hub.probe('org/tiny')", endpoint, home)
    assert answer["value"] is None
    assert float(str(answer["seconds"])) < 7


def test_a_silent_server_is_given_up_within_seconds(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects and never answers
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        answer = run("hub.pull('org/tiny')", endpoint, home)
        assert answer["error"] == "ModelUnavailableError"
        assert 4 < float(str(answer["seconds"])) < 7
        answer = run("hub.probe('org/tiny', timeout_s=0.5)", endpoint, home)
        assert answer["value"] is None
        assert float(str(answer["seconds"])) < 3


def test_a_failing_hub_is_unavailable(fake: FakeHub, home: Path) -> None:
    fake.refusal = (500, "")
    assert run("hub.pull('org/tiny')", fake.endpoint, home)["error"] == "ModelUnavailableError"


def test_offline_nothing_is_asked(fake: FakeHub, home: Path) -> None:
    answer = run("hub.pull('org/tiny')", fake.endpoint, home, HF_HUB_OFFLINE="1")
    assert (answer["error"], answer["exit_code"]) == ("ModelUnavailableError", 4)
    assert "HF_HUB_OFFLINE" in str(answer["text"])
    answer = run("hub.probe('org/tiny')", fake.endpoint, home, HF_HUB_OFFLINE="1")
    assert answer["value"] is None
    assert float(str(answer["seconds"])) < 2
    assert fake.asked == []


def test_offline_is_honoured_after_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.probe("org/tiny") is None
    with pytest.raises(ModelUnavailableError):
        hub.pull("org/tiny")


def test_an_unreachable_branch_falls_back_to_the_copy_with_a_notice(fake: FakeHub, home: Path) -> None:
    run("hub.pull('org/tiny')", fake.endpoint, home)
    process = start("str(hub.pull('org/tiny'))", "http://127.0.0.1:9", home)
    out, err = process.communicate(timeout=60)
    assert json.loads(out)["value"].endswith(COMMIT)
    (notice,) = err.splitlines()
    assert "using the cached copy" in notice


def test_progress_is_drawn_only_when_asked(fake: FakeHub, home: Path) -> None:
    process = start("hub.pull('org/tiny', show_progress=True)", fake.endpoint, home)
    _, err = process.communicate(timeout=60)
    assert "model.safetensors: 100%" in err
