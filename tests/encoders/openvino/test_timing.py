"""How long a picture takes, measured when a model is compiled."""

import json

import pytest

from clipsearch import processes
from clipsearch.encoders.openvino.compile import check_crops
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.encoders.openvino.timing import TIMING_NAME, measure_image_ms, read_image_ms, write_image_ms


def test_compiling_measures_and_the_model_is_complete_without_the_figure(compiled_copy):
    measured = read_image_ms(compiled_copy)
    assert measured is not None
    assert 0 < measured < 1000
    (compiled_copy / TIMING_NAME).unlink()  # as of an earlier version
    assert read_image_ms(compiled_copy) is None
    encoder = CompiledEncoder(compiled_copy, name="older")
    assert measure_image_ms(encoder, check_crops(encoder.preprocess)) > 0


def test_a_figure_of_another_machine_does_not_count(tmp_path, monkeypatch):
    write_image_ms(tmp_path, 12.5)
    assert read_image_ms(tmp_path) == 12.5
    with monkeypatch.context() as patch:
        patch.setattr(processes, "core_count", lambda: 999)
        assert read_image_ms(tmp_path) is None
    with monkeypatch.context() as patch:
        patch.setattr(processes, "processor_name", lambda: "another")
        assert read_image_ms(tmp_path) is None


@pytest.mark.parametrize("image_ms", [0, -1, float("nan"), float("inf"), "x", None, [], 10**400])
def test_figures_that_are_none_do_not_count(tmp_path, image_ms):
    write_image_ms(tmp_path, 12.5)
    path = tmp_path / TIMING_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"image_ms": image_ms}))
    assert read_image_ms(tmp_path) is None


@pytest.mark.parametrize("content", ["", "7", "[]", "{}", "[" * 5000, "\x00", "{" + " " * 20_000 + "}"])
def test_files_that_hold_none_do_not_count(tmp_path, content):
    (tmp_path / TIMING_NAME).write_text(content)
    assert read_image_ms(tmp_path) is None
