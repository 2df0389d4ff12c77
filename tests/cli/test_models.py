"""clipsearch model list | recommend | use: what a model finds and costs, and what a switch gives."""

import json
from dataclasses import replace

import pytest
from PIL import Image

from clipsearch.encoders import load, machine
from clipsearch.encoders.hub import hub
from clipsearch.encoders.hub.known_models import DEFAULT_MODEL, KNOWN_MODELS, find_known
from clipsearch.encoders.openvino.cache import source_key
from clipsearch.encoders.openvino.timing import write_image_ms
from clipsearch.paths import cache_dir
from tests.support.command_line import run
from tests.support.fakes import ColourEncoder

OPENAI, SIGLIP2 = "openai/clip-vit-base-patch32", "google/siglip2-base-patch32-256"


@pytest.fixture
def cached_default(tmp_path, monkeypatch) -> None:
    """The default model in the hub's cache, compiled here at 23.4 ms a picture."""
    monkeypatch.setattr(hub, "cache_folder", lambda: tmp_path / "hub")
    source = tmp_path / "hub" / f"models--{DEFAULT_MODEL.replace('/', '--')}" / "snapshots"
    source /= find_known(DEFAULT_MODEL).revision
    source.mkdir(parents=True)
    for name in ("config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"):
        (source / name).write_text("{}")
    compiled = cache_dir() / "compiled" / source_key(source)
    compiled.mkdir(parents=True)
    write_image_ms(compiled, 23.44)


@pytest.fixture
def hub_ids(colours, monkeypatch) -> None:
    """Models of colours under any name."""
    monkeypatch.setattr(load, "load_encoder", lambda options: ColourEncoder(options.name))


def test_the_list_fits_100_columns_and_tells_what_a_model_finds_and_costs(tmp_path, cached_default):
    lines = run("model", "list", "--catalog", tmp_path / "no").stdout.splitlines()
    assert max(map(len, lines)) <= 100
    heading, *rows = lines[: len(KNOWN_MODELS) + 2]
    assert heading.split() == ["model", "recall", "languages", "licence", "download", "index", "ms"]
    assert [row[3:].split()[0] for row in rows] == [*(known.name for known in KNOWN_MODELS), "starter"]
    (default,) = (row for row in rows if DEFAULT_MODEL in row)
    assert default.split() == [
        "+", DEFAULT_MODEL, "39.3", "English", "MIT", "605.0", "MB", "1,032", "23.4", "here",
    ]  # fmt: skip
    (siglip2,) = (row for row in rows if SIGLIP2 in row)
    assert siglip2.split() == [SIGLIP2, "47.2", "100+", "Apache-2.0", "1.5", "GB", "1,544"]


def test_the_list_as_json(tmp_path, cached_default):
    listed = {row["name"]: row for row in json.loads(run("model", "list", "--json").stdout)["models"]}
    assert listed[DEFAULT_MODEL] == {
        "name": DEFAULT_MODEL,
        "size_bytes": 605_000_000,
        "is_here": True,
        "description": "CLIP ViT-B/32 trained on LAION-2B",
        "recall": 39.3,
        "languages": "English",
        "licence": "MIT",
        "dim": 512,
        "index_bytes": 1032,
        "image_ms": 23.44,
        "precision": None,
        "is_default": True,
        "is_current": False,
        "pictures": 0,
        "captions": 0,
    }
    starter = listed["starter"]
    assert starter["precision"] == "f32"
    assert (starter["recall"], starter["image_ms"], starter["is_here"], starter["index_bytes"]) == (
        None,
        None,
        True,
        776,
    )
    assert [name for name, row in listed.items() if row["is_default"]] == [DEFAULT_MODEL]
    assert listed["OFA-Sys/chinese-clip-vit-base-patch16"]["recall"] is None


def test_two_models_are_recommended_with_the_commands_to_use_them(cached_default, monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    found = json.loads(run("model", "recommend", "--json").stdout)
    assert found["machine"]["language"] == "de"
    assert [one["use"] for one in found["models"]] == ["everyday", "better"]
    for one in found["models"]:
        assert one["languages"] == "100+"
        assert one["hours_for_100000"] == pytest.approx(one["image_ms"] / 36)
        assert one["commands"][-1] == f"clipsearch model use {one['name']}"
    text = run("model", "recommend").stdout
    for one in found["models"]:
        assert f"{one['use']}: {one['name']}" in text
        assert f"  $ clipsearch model use {one['name']}" in text
    assert "hours for 100,000 (estimated), download 1.5 GB" in text


def test_a_measured_time_is_said_to_be_measured(cached_default, monkeypatch):
    slow = replace(machine.examine_machine(), gpu=None, tower_gflops=1.0, language="en")
    monkeypatch.setattr(machine, "examine_machine", lambda: slow)
    text = run("model", "recommend").stdout
    assert f"everyday: {DEFAULT_MODEL}" in text
    assert "23.4 ms a picture, 0.7 hours for 100,000 (measured), already here" in text


def test_a_switch_tells_what_it_gave(tmp_path, hub_ids):
    (tmp_path / "photos").mkdir()
    for colour in ("red", "blue"):
        Image.new("RGB", (40, 40), colour).save(tmp_path / "photos" / f"{colour}.png")
    catalog = ("--catalog", tmp_path / "c")
    run("index", tmp_path / "photos", "--model", OPENAI, *catalog)
    found = run("model", "use", SIGLIP2, *catalog).stdout.splitlines()
    assert found[-2:] == [
        f"this catalog now uses {SIGLIP2}",
        "published recall 30.4 → 47.2, languages English → 100+, 2 pictures",
    ]
    assert "2 pictures in this catalog with " + SIGLIP2 in run("model", "list", *catalog).stdout
    back = json.loads(run("model", "use", "colours", "--json", *catalog).stdout)
    assert back["gain"] == {
        "before": SIGLIP2,
        "after": "colours",
        "recall_before": 47.2,
        "recall_after": None,
        "languages_before": "100+",
        "languages_after": None,
        "pictures": 2,
    }
    same = run("model", "use", "colours", *catalog).stdout.splitlines()
    assert same[-1] == "this catalog now uses colours"
