"""Which models suit which machine."""

from dataclasses import replace

import pytest

from clipsearch.encoders.hub import hub
from clipsearch.encoders.hub.known_models import DEFAULT_MODEL, KNOWN_MODELS, find_known
from clipsearch.encoders.machine import Machine
from clipsearch.encoders.openvino import cache as compile_cache
from clipsearch.encoders.openvino.timing import write_image_ms
from clipsearch.encoders.recommend import Recommendation, find_candidates, recommend
from clipsearch.paths import cache_dir

SIGLIP2_B32, SIGLIP2_B16 = "google/siglip2-base-patch32-256", "google/siglip2-base-patch16-224"

LAPTOP = Machine(
    processor="any",
    cores=8,
    features=("AVX2",),
    precision="f32",
    gpu=None,
    tower_gflops=300.0,
    memory_bytes=16_000_000_000,
    disk_bytes=100_000_000_000,
    language="en",
)


def recommended(machine: Machine) -> tuple[Recommendation, ...]:
    return recommend(machine, find_candidates(machine))


def names(machine: Machine) -> list[tuple[str, str]]:
    return [(one.use, one.name) for one in recommended(machine)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (SIGLIP2_B32, SIGLIP2_B16)),
        ({"tower_gflops": 50.0}, (DEFAULT_MODEL, SIGLIP2_B32)),  # slow
        ({"tower_gflops": 1.0}, (DEFAULT_MODEL, SIGLIP2_B32)),
        ({"tower_gflops": 100_000.0, "gpu": "a GPU"}, (SIGLIP2_B32, SIGLIP2_B16)),
        ({"language": None, "tower_gflops": 50.0}, (DEFAULT_MODEL, SIGLIP2_B32)),
        ({"language": "de", "tower_gflops": 50.0}, (SIGLIP2_B32, SIGLIP2_B16)),
        ({"memory_bytes": None, "disk_bytes": None}, (SIGLIP2_B32, SIGLIP2_B16)),
        ({"memory_bytes": 2_000_000_000}, ("starter", DEFAULT_MODEL)),
        ({"disk_bytes": 1_000_000_000}, ("starter", DEFAULT_MODEL)),
        ({"disk_bytes": 1_000_000_000, "language": "de"}, ("starter", DEFAULT_MODEL)),
        ({"memory_bytes": 500_000_000}, ("starter",)),
    ],
)
def test_two_models_for_a_machine(changes, expected):
    found = names(replace(LAPTOP, **changes))
    assert found == list(zip(("everyday", "better"), expected, strict=False))


def test_the_better_model_finds_more_for_more_time():
    everyday, better = recommended(LAPTOP)
    assert (everyday.recall, better.recall) == (47.2, 52.1)
    assert everyday.image_ms == pytest.approx(1000 * 11.5 / 300)
    assert everyday.hours == pytest.approx(1000 * 11.5 / 300 * 100_000 / 3_600_000)
    assert better.reason == "finds 4.9 points more for 3.1 times the time"
    assert not everyday.is_measured
    assert everyday.download_bytes == 1_507_473_288
    assert everyday.commands == (f"clipsearch model pull {SIGLIP2_B32}", f"clipsearch model use {SIGLIP2_B32}")


def test_another_language_is_told():
    for one in recommended(replace(LAPTOP, language="de")):
        assert one.reason.endswith("; knows many languages, and yours is 'de'")
    _, better = recommended(replace(LAPTOP, language="de", disk_bytes=1_000_000_000))
    assert better.reason.endswith("; knows English only, and yours is 'de'")


def test_no_model_is_recommended_that_another_one_beats():
    worse = {"google/siglip-base-patch16-224", "openai/clip-vit-large-patch14", "openai/clip-vit-base-patch32"}
    for gflops in (1.0, 30.0, 100.0, 300.0, 1000.0, 100_000.0):
        assert not worse & {one.name for one in recommended(replace(LAPTOP, tower_gflops=gflops))}


def test_models_without_a_published_recall_are_no_candidates():
    assert {one.model.name for one in find_candidates(LAPTOP)} == {
        known.name for known in KNOWN_MODELS if known.recall is not None
    }


def test_a_measured_figure_is_preferred_and_a_cached_model_needs_no_download(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "cache_folder", lambda: tmp_path)
    known = find_known(DEFAULT_MODEL)
    source = tmp_path / f"models--{DEFAULT_MODEL.replace('/', '--')}" / "snapshots" / known.revision
    source.mkdir(parents=True)
    for name in ("config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"):
        (source / name).write_text("{}")
    compiled = cache_dir() / "compiled" / compile_cache.source_key(source)
    slow = replace(LAPTOP, tower_gflops=50.0)

    everyday = recommended(slow)[0]
    assert (everyday.name, everyday.is_measured, everyday.download_bytes) == (DEFAULT_MODEL, False, 0)
    assert everyday.commands == (f"clipsearch model use {DEFAULT_MODEL}",)

    compiled.mkdir(parents=True)
    write_image_ms(compiled, 40.0)
    everyday = recommended(slow)[0]
    assert (everyday.image_ms, everyday.is_measured) == (40.0, True)
    # It is here and runs here, however little memory is left at this moment.
    assert names(replace(slow, memory_bytes=1)) == [("everyday", "starter"), ("better", DEFAULT_MODEL)]
    # Measured on the CPU, which is not what a GPU takes.
    assert not recommended(replace(slow, gpu="a GPU"))[0].is_measured
