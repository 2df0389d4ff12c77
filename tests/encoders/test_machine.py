"""What is asked of this machine to recommend a model."""

import pytest

from clipsearch import processes
from clipsearch.encoders import devices, machine
from clipsearch.encoders.hub import hub
from clipsearch.encoders.machine import examine_machine, find_language


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"LANG": "C"}, None),
        ({"LANG": "C.UTF-8"}, None),
        ({"LANG": "POSIX"}, None),
        ({"LANG": "de_DE.UTF-8"}, "de"),
        ({"LANG": "en"}, "en"),
        ({"LANG": "sr_RS@latin"}, "sr"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, None),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "", "LC_MESSAGES": "fil_PH"}, "fil"),
        ({"LANG": "nonsense"}, None),
    ],
)
def test_the_language_is_that_of_the_locale(environment, expected):
    assert find_language(environment) == expected


def test_this_machine_is_examined_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "may_have_gpu", lambda: False)
    monkeypatch.setattr(hub, "cache_folder", lambda: tmp_path / "not" / "yet")
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    found = examine_machine()
    assert found.cores == processes.core_count()
    assert found.precision in ("f32", "bf16", "f16")
    assert found.gpu is None
    assert 0.1 < found.tower_gflops < 1_000_000
    assert found.memory_bytes > 0
    assert found.disk_bytes > 0
    assert found.language == "ja"
    assert not (tmp_path / "not").exists()


def test_a_gpu_is_measured_instead_of_the_processor(monkeypatch):
    monkeypatch.setattr(machine, "may_have_gpu", lambda: True)
    monkeypatch.setattr(machine, "measure_gpu", lambda: ("a GPU", 50_000.0))
    found = examine_machine()
    assert found.gpu == "a GPU"
    assert found.tower_gflops == pytest.approx(10_000.0)


def test_a_driver_without_a_gpu_leaves_the_processor(monkeypatch):
    monkeypatch.setattr(machine, "may_have_gpu", lambda: True)
    monkeypatch.setattr(devices, "choose_device", lambda device: __import__("torch").device("cpu"))
    assert examine_machine().gpu is None


def test_products_are_measured_on_any_device():
    import torch

    assert devices.measure_products(torch.device("cpu"), torch.float32, side=64, repeats=2) > 0


def test_features_are_those_of_cpuinfo(monkeypatch):
    text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu avx2 avx_vnni avx512_vnni\n"
    monkeypatch.setattr("clipsearch.processes.Path.read_text", lambda path, **options: text)
    assert processes.processor_name() == "Some CPU @ 2 GHz"
    assert processes.processor_flags() == {"fpu", "avx2", "avx_vnni", "avx512_vnni"}
    monkeypatch.setattr(machine, "may_have_gpu", lambda: False)
    assert examine_machine().features == ("AVX2", "VNNI")
