"""clipsearch config."""

import json
import os
from pathlib import Path

import pytest

from tests.support.command_line import SAMPLES, fail, run


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CLIPSEARCH_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config" / "config.toml"


def test_settings_are_written_and_comments_kept(file, tmp_path):
    assert run("config", "path").stdout == f"{file}\n"
    run("config", "set", "device", "cpu")
    file.write_text("# mine\n" + file.read_text() + 'runtime = "torch"  # why\n')
    run("config", "set", "catalog", "c", cwd=tmp_path)
    run("config", "set", "device", "cuda:0")
    assert file.read_text() == (f'# mine\ndevice = "cuda:0"\nruntime = "torch"  # why\ncatalog = "{tmp_path / "c"}"\n')
    assert run("config", "get", "device").stdout == "cuda:0\n"
    run("config", "unset", "device")
    run("config", "unset", "device")
    assert run("config", "get", "device").stdout == "\n"
    assert "line 4" not in run("config").stdout
    assert f"({file}, line 3)" in run("config").stdout.splitlines()[0]


def test_every_setting_has_its_origin(file, monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_RUNTIME", "torch")
    run("config", "set", "device", "cpu")
    found = {each["key"]: each for each in json.loads(run("config", "--json").stdout)}
    assert found["device"] == {"key": "device", "value": "cpu", "origin": f"{file}, line 1"}
    assert found["runtime"]["origin"] == "CLIPSEARCH_RUNTIME"
    assert (found["model"]["value"], found["model"]["origin"]) == (None, "default")
    assert found["catalog"]["value"].endswith("clipsearch")
    written = run("config", "set", "runtime", "openvino")
    assert written.stdout == f"runtime = openvino in {file}\n"
    assert written.stderr == "clipsearch: CLIPSEARCH_RUNTIME is set and goes before it\n"


def test_status_tells_where_the_catalog_is_set(file, tmp_path):
    run("config", "set", "catalog", tmp_path / "c")
    (tmp_path / "photos").mkdir()
    run("index", tmp_path / "photos", "--model", "starter")
    assert run("status").stdout.startswith(f"catalog   {tmp_path / 'c'} ({file}, line 1)\n")
    assert run("status", "--catalog", tmp_path / "c").stdout.startswith(f"catalog   {tmp_path / 'c'}\n")


def test_what_is_no_setting_is_refused(file):
    assert "did you mean model?" in fail("config", "set", "modle", "x", code=2)
    assert "invalid precision 'f16'" in fail("config", "set", "precision", "f16", code=2)
    assert "prints no JSON" in fail("config", "--json", "get", "device", code=2)
    assert "no key 'token'" in fail("config", "get", "token", code=2)
    assert not file.exists()
    file.parent.mkdir()
    file.write_text('modle = "x"\n')
    assert f"{file}, line 1: no key 'modle'" in fail("status", code=2)
    run("config", "unset", "modle")
    assert file.read_text() == ""
    file.write_text("device")
    assert str(file) in fail("config", "set", "device", "cpu", code=2)
    assert file.read_text() == "device"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("allow_url", "maybe"),
        ("model", "nosuch-path-or-name"),
        ("model", "a\nb"),
        ("catalog", "mysql://x"),
        ("cache", __file__),
        ("index_servers", "http://x"),
    ],
)
def test_values_that_can_not_be_used_are_not_written(file, key, value):
    assert key.partition("_")[0] in fail("config", "set", key, value, code=2)
    assert not file.exists()


def test_a_directory_of_a_model_is_written_with_its_whole_path(file, tmp_path):
    (tmp_path / "model").mkdir()
    run("config", "set", "model", "model", cwd=tmp_path)
    assert run("config", "get", "model").stdout == f"{tmp_path / 'model'}\n"
    for value in ("starter", "starter@int8", "openai/clip-vit-base-patch32"):
        run("config", "set", "model", value)


def test_a_device_of_the_file_that_is_missing_here_is_named_with_its_line(file, tmp_path):
    run("config", "set", "device", "cuda")
    line = fail("classify", SAMPLES / "food" / "donut.png", "a donut", "--model", "starter", code=2)
    assert line.startswith(f"clipsearch: {file}, line 1: the model starter is compiled for the CPU")


def test_a_named_pipe_is_not_waited_for(file):
    file.parent.mkdir()
    os.mkfifo(file)
    assert f"{file} is not a regular file" in fail("status", code=2)
    assert str(file) in fail("config", "set", "device", "cpu", code=2)
