"""Models of transformers, compiled: the same rows, without torch."""

import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from clipsearch import Catalog
from clipsearch.encoders import load
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.gpu_offload import BATCH, AcceleratedEncoder
from clipsearch.encoders.load import load_encoder
from clipsearch.encoders.openvino import cache as compile_cache
from clipsearch.encoders.openvino.compile import NotCompilableError, check_crops
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.encoders.openvino.spec import read_spec, write_spec
from clipsearch.encoders.torch_encoder import TransformersEncoder
from clipsearch.errors import ClipSearchNotice, InputError, ModelError
from clipsearch.paths import cache_dir, sample_data_folder
from clipsearch.types import ModelOptions
from tests.support.fakes import ColourEncoder
from tests.support.tiny_clips import compile_by_copying
from tests.support.tiny_models import compile_quietly, make_altclip, make_chinese_clip, make_clip, make_siglip

TEXTS = ["a cat", "A photo of the dog in the snow", "red", "donut " * 40, "猫"]
FAMILIES = {"clip": make_clip, "siglip": make_siglip, "chinese_clip": make_chinese_clip, "altclip": make_altclip}


@pytest.fixture(scope="module", params=FAMILIES)
def both(request, tmp_path_factory) -> tuple[TransformersEncoder, CompiledEncoder]:
    folder = tmp_path_factory.mktemp(request.param)
    source = FAMILIES[request.param](folder)
    compile_quietly(source, folder / "compiled")
    return TransformersEncoder.load(source, device="cpu"), CompiledEncoder(folder / "compiled", name="compiled")


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    return (left * right).sum(axis=1)


def test_rows_are_those_of_transformers(both):
    torch_encoder, compiled = both
    crops = np.concatenate([check_crops(compiled.preprocess)] * 3)
    assert cosines(torch_encoder.encode_images(crops), compiled.encode_images(crops)).min() >= 0.999
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClipSearchNotice)  # one text is longer than the models take
        together = compiled.encode_texts(TEXTS)
        assert cosines(torch_encoder.encode_texts(TEXTS), together).min() >= 0.999
        alone = np.concatenate([compiled.encode_texts([text]) for text in TEXTS])
    assert cosines(alone, together).min() >= 0.999


def test_everything_else_is_the_same_too(both):
    torch_encoder, compiled = both
    assert compiled.fingerprint == torch_encoder.fingerprint
    assert compiled.head == torch_encoder.head
    assert compiled.preprocess == torch_encoder.preprocess
    assert (compiled.dim, compiled.context_length) == (torch_encoder.dim, torch_encoder.context_length)
    assert compiled.encode_images(np.empty((0, 32, 32, 3), np.uint8)).shape == (0, compiled.dim)
    assert compiled.encode_texts([]).shape == (0, compiled.dim)


def test_a_model_whose_rows_differ_is_refused(tmp_path, monkeypatch):
    source = make_clip(tmp_path)
    right = CompiledEncoder.encode_texts
    monkeypatch.setattr(CompiledEncoder, "encode_texts", lambda self, texts: np.roll(right(self, texts), 1, axis=1))
    with pytest.raises(ModelError, match="agree with transformers only to a cosine of"):
        compile_quietly(source, tmp_path / "compiled")


def test_the_first_use_compiles_and_later_ones_need_no_torch(tmp_path):
    """And modules in the current folder, one of pictures from anywhere, are not run."""
    source = make_clip(tmp_path / "source")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("torch", "openvino", "sitecustomize"):
        (pictures / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    code = (
        "import sys; from clipsearch.encoders.load import load_encoder; "
        "from clipsearch.encoders.openvino.encoder import import_openvino; import_openvino(); "
        f"sys.path[:0] = ['', {str(pictures)!r}]; "  # for the process that compiles: this one has what it needs
        f"encoder = load_encoder({str(source)!r}); encoder.encode_texts(['a cat']); "
        "print(type(encoder).__name__, sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-P", "-c", code], cwd=pictures, capture_output=True, text=True, check=True
        )
        assert done.stdout == "CompiledEncoder []\n"
        assert done.stderr == ""
    assert not (tmp_path / "ran").exists()


def test_other_weights_in_the_same_place_are_not_taken_for_those_before(tmp_path, tiny_clips):
    place = tmp_path / "place"
    rows = []
    for seed in (0, 1):
        made = tiny_clips.find_compiled(seed)
        if place.exists():
            for weights in made.glob("*.bin"):
                shutil.copy(weights, place)
            write_spec(place, read_spec(made))
        else:
            shutil.copytree(made, place)
        encoder = CompiledEncoder(place, name="kept")
        fresh = CompiledEncoder(place, name="fresh", cache_blobs=False)
        crops = check_crops(encoder.preprocess)
        rows.append(encoder.encode_texts(["a cat"]))
        np.testing.assert_allclose(rows[-1], fresh.encode_texts(["a cat"]), atol=1e-3)
        np.testing.assert_allclose(encoder.encode_images(crops), fresh.encode_images(crops), atol=1e-3)
    assert not np.allclose(*rows, atol=1e-2)


@pytest.mark.parametrize("fingerprint", ["../" * 21 + "a", "ab", 7])
def test_a_fingerprint_that_is_none_is_refused(compiled_copy, fingerprint):
    spec = compiled_copy / "model.json"
    spec.write_text(json.dumps(json.loads(spec.read_text()) | {"fingerprint": fingerprint}))
    with pytest.raises(ModelError, match="not a valid compiled model directory"):
        CompiledEncoder(spec.parent, name="odd")


def test_a_runtime_can_be_forced(compiled_before):
    source = compiled_before
    assert isinstance(load_encoder(ModelOptions(str(source), runtime="torch")), TransformersEncoder)
    assert isinstance(load_encoder(ModelOptions(str(source), runtime="openvino")), CompiledEncoder)
    assert isinstance(load_encoder(ModelOptions(str(source), device="cpu")), CompiledEncoder)
    with pytest.raises(InputError, match=r"invalid runtime .tensorrt.: use torch or openvino"):
        load_encoder(ModelOptions(str(source), runtime="tensorrt"))
    with pytest.raises(ModelError, match="not on cuda"):
        load_encoder(ModelOptions(str(source), runtime="openvino", device="cuda"))
    with pytest.raises(ModelError, match="can't run with torch"):
        load_encoder(ModelOptions("starter", runtime="torch"))


def test_a_model_that_cannot_be_compiled_is_served_by_torch_and_not_tried_again(tmp_path, monkeypatch):
    source = make_clip(tmp_path)
    tried: list[Path] = []

    def refuse(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        tried.append(Path(command[-1]))
        return subprocess.CompletedProcess(command, 1, "", "Traceback\nNotCompilableError: no such operation")

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.warns(ClipSearchNotice, match=r"can't be compiled \(no such operation\): it runs through transformers"):
        assert isinstance(load_encoder(str(source)), TransformersEncoder)
    assert isinstance(load_encoder(str(source)), TransformersEncoder)
    assert len(tried) == 1
    with pytest.raises(ModelError, match="can't be compiled: no such operation"):
        load_encoder(ModelOptions(str(source), runtime="openvino"))
    # Other versions may do better.
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "another")
    with pytest.warns(ClipSearchNotice, match="can't be compiled"):
        load_encoder(str(source))
    assert len(tried) == 3


def test_a_crash_while_compiling_is_tried_again(tmp_path, monkeypatch):
    source = make_clip(tmp_path)
    killed = subprocess.CompletedProcess([], -9, "", "")
    monkeypatch.setattr(subprocess, "run", lambda command, **options: killed)
    for _ in range(2):
        with pytest.warns(ClipSearchNotice, match="it ended with -9"):
            load_encoder(str(source))


@pytest.mark.parametrize(
    ("error", "lies_in_the_model"),
    [
        (RuntimeError("no such operation"), True),
        (MemoryError("of this machine"), False),
        (OSError(28, "No space left on device"), False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), False),
    ],
)
def test_only_what_lies_in_the_model_is_blamed_on_it(tmp_path, monkeypatch, error, lies_in_the_model):
    encoder = TransformersEncoder.load(make_clip(tmp_path), device="cpu")

    def fail(**inputs: torch.Tensor) -> None:
        raise error

    monkeypatch.setattr(encoder.model, "get_image_features", fail)
    monkeypatch.setattr(TransformersEncoder, "load", lambda source, device: encoder)
    with pytest.raises(Exception, match=re.escape(str(error))) as caught:
        compile_quietly(tmp_path, tmp_path / "compiled")
    assert isinstance(caught.value, NotCompilableError) == lies_in_the_model


def test_a_full_disk_is_not_remembered(tmp_path, monkeypatch, compiled_clip):
    resource = pytest.importorskip("resource", reason="needs a limit on what a process may write")
    source = make_clip(tmp_path)
    start = subprocess.run

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def start_on_a_full_disk(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return start(command, preexec_fn=limit, **options)

    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "run", start_on_a_full_disk)
        with pytest.raises(ModelError):
            load_encoder(ModelOptions(str(source), runtime="openvino"))
    assert compile_cache.find_refusal(source) is None
    tried = compile_by_copying(compiled_clip, monkeypatch)
    assert isinstance(load_encoder(ModelOptions(str(source), runtime="openvino")), CompiledEncoder)
    assert tried == [source]


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(8, "Exec format error")])
def test_what_is_half_compiled_is_deleted(tmp_path, monkeypatch, failure):
    source = make_clip(tmp_path)
    folder = cache_dir() / "compiled"
    abandoned, other = folder / ".new-abandoned", folder / ".new-other"
    for path in (abandoned, other):
        path.mkdir(parents=True)
        (path / "image.bin").write_bytes(b"part")
    os.utime(abandoned, (1e9, 1e9))

    def stop(command: list[str], **options: object) -> None:
        (Path(command[-1]) / "image.bin").write_bytes(b"part")
        raise failure

    monkeypatch.setattr(subprocess, "run", stop)
    with pytest.raises((KeyboardInterrupt, ModelError)):
        compile_cache.make_compiled(source)
    assert list(folder.iterdir()) == [other]


@pytest.mark.parametrize("moment", ["while compiling", "at the end"])
def test_of_two_processes_that_compile_at_once_the_first_one_wins(tmp_path, compiled_clip, monkeypatch, moment):
    source = make_clip(tmp_path)
    target = compile_cache._target(source)
    remove = shutil.rmtree

    def finish_elsewhere() -> None:
        shutil.copytree(compiled_clip, target)
        (target / "first").touch()

    def compile_here(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        shutil.copytree(compiled_clip, command[-1], dirs_exist_ok=True)
        if moment == "while compiling":
            finish_elsewhere()
        return subprocess.CompletedProcess(command, 0, "", "")

    def remove_then_lose(path: Path, **options: Any) -> None:
        remove(path, **options)
        if path == target:
            finish_elsewhere()

    monkeypatch.setattr(subprocess, "run", compile_here)
    monkeypatch.setattr(compile_cache.shutil, "rmtree", remove_then_lose)
    assert compile_cache.make_compiled(source) == target
    assert (target / "first").exists()
    assert list(target.parent.iterdir()) == [target]


def test_a_cache_that_cannot_be_written_is_one_error(tmp_path):
    source = make_clip(tmp_path)
    cache_dir().mkdir(parents=True, exist_ok=True)
    (cache_dir() / "compiled").write_text("in the way")
    with pytest.raises(ModelError, match="can't write to"):
        compile_cache.make_compiled(source)


def test_a_damaged_compiled_model_is_compiled_again(compiled_before, compiled_clip, monkeypatch):
    source = compiled_before
    compiled = compile_cache.find_compiled(source)
    assert compiled is not None
    rows = load_encoder(str(source)).encode_texts(["a cat"])
    (compiled / "text.bin").write_bytes((compiled / "text.bin").read_bytes()[:-100])
    tried = compile_by_copying(compiled_clip, monkeypatch)
    with pytest.warns(ClipSearchNotice, match=r"text\.bin is damaged: it is compiled again"):
        again = load_encoder(str(source))
    assert tried == [source]
    np.testing.assert_array_equal(again.encode_texts(["a cat"]), rows)


def test_another_content_is_another_compiled_model(tmp_path):
    source = make_clip(tmp_path)
    before = compile_cache.source_key(source)
    config = source / "preprocessor_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"resample": 2}))
    assert compile_cache.source_key(source) != before


def test_half_precision_is_used_where_it_agrees(tmp_path):
    source = make_clip(tmp_path)
    single = TransformersEncoder.load(source, device="cpu")
    half = TransformersEncoder.load(source, device="cpu", half=True)
    assert (str(single.model.dtype), str(half.model.dtype)) == ("torch.float32", "torch.float16")
    assert half.head == single.head
    crops = check_crops(single.preprocess)
    assert cosines(single.encode_images(crops), half.encode_images(crops)).min() >= 0.999
    assert cosines(single.encode_texts(["a cat"]), half.encode_texts(["a cat"])).min() >= 0.999


def test_half_precision_is_given_up_where_it_does_not(tmp_path):
    import safetensors.torch

    source = make_clip(tmp_path)
    weights = safetensors.torch.load_file(source / "model.safetensors")
    weights["visual_projection.weight"] *= 1e6  # float16 ends at 65,504
    safetensors.torch.save_file(weights, source / "model.safetensors", metadata={"format": "pt"})
    encoder = TransformersEncoder.load(source, device="cpu", half=True)
    assert str(encoder.model.dtype) == "torch.float32"
    assert np.isfinite(encoder.encode_images(check_crops(encoder.preprocess))).all()


def test_a_batch_too_large_for_the_device_is_halved(tmp_path, monkeypatch):
    encoder = TransformersEncoder.load(make_clip(tmp_path), device="cpu")
    crops = check_crops(encoder.preprocess)
    expected = encoder.encode_images(crops)
    right = encoder._image_features

    def small_memory(part: NDArray[np.uint8]) -> torch.Tensor:
        if len(part) > 5:
            raise torch.OutOfMemoryError
        return right(part)

    monkeypatch.setattr(encoder, "_image_features", small_memory)
    np.testing.assert_allclose(encoder.encode_images(crops), expected, atol=1e-5)
    assert encoder.batch_size == 4
    monkeypatch.setattr(encoder, "_image_features", lambda part: (_ for _ in ()).throw(torch.OutOfMemoryError()))
    with pytest.raises(ModelError, match="needs more memory than cpu has"):
        encoder.encode_images(crops)


def test_a_gpu_takes_pictures_when_there_are_many():
    compiled, on_gpu = ColourEncoder(), ColourEncoder()
    on_gpu.batch_size = BATCH
    loads: list[Encoder] = []

    def load_accelerated() -> Encoder:
        loads.append(on_gpu)
        return on_gpu

    encoder = AcceleratedEncoder(compiled, load_accelerated=load_accelerated)
    crops = np.zeros((BATCH, 8, 8, 3), np.uint8)
    for count in (10, BATCH - 11):
        encoder.encode_images(crops[:count])
    encoder.encode_texts(["red"])
    assert loads == []
    for count in (1, 3, BATCH):
        encoder.encode_images(crops[:count])
    assert (len(loads), compiled.batches, on_gpu.batches) == (1, [10, BATCH - 11], [1, 3, BATCH])


def test_without_a_gpu_after_all_the_compiled_model_goes_on():
    compiled = ColourEncoder()
    encoder = AcceleratedEncoder(compiled, load_accelerated=lambda: None)
    encoder.encode_images(np.zeros((BATCH, 8, 8, 3), np.uint8))
    assert (compiled.batches, encoder.batch_size) == ([BATCH], compiled.batch_size)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory.\nTried"), ModelError("damaged"), OSError()]
)
def test_a_gpu_model_that_cannot_be_loaded_leaves_the_pictures_to_the_cpu(error):
    compiled = ColourEncoder()

    def fail() -> Encoder:
        raise error

    encoder = AcceleratedEncoder(compiled, load_accelerated=fail)
    crops = np.zeros((BATCH, 8, 8, 3), np.uint8)
    with pytest.warns(ClipSearchNotice, match="the GPU is not used") as notices:
        rows = encoder.encode_images(crops)
    assert "\n" not in str(notices[0].message)
    encoder.encode_images(crops)  # is not tried, and not told, again
    assert rows.shape == (BATCH, compiled.dim)
    assert (compiled.batches, encoder.batch_size) == ([BATCH, BATCH], compiled.batch_size)


def test_a_machine_with_a_driver_gets_both(compiled_before, monkeypatch):
    source = compiled_before
    monkeypatch.setattr(load, "may_have_gpu", lambda: True)
    encoder = load_encoder(str(source))
    assert isinstance(encoder, AcceleratedEncoder)
    crops = np.zeros((BATCH, 32, 32, 3), np.uint8)
    assert encoder.encode_images(crops).shape == (BATCH, encoder.dim)  # torch finds no GPU here: on the CPU
    assert isinstance(load_encoder(ModelOptions(str(source), device="cpu")), CompiledEncoder)


def test_a_catalog_made_with_one_runtime_is_searched_with_the_other(tmp_path, compiled_before):
    source = str(compiled_before)
    folder = sample_data_folder() / "animals"
    with Catalog.open(tmp_path / "catalog", model=source, runtime="torch", create=True) as catalog:
        catalog.index(folder)
        by_torch = {hit.path: hit.score for hit in catalog.search(folder / "cat.jpg", top_k=100)}
    with Catalog.open(tmp_path / "catalog", runtime="openvino") as catalog:
        assert isinstance(catalog.encoder, CompiledEncoder)
        report = catalog.index(folder)
        assert (report.embedded, report.unchanged) == (0, len(by_torch))
        for hit in catalog.search(folder / "cat.jpg", top_k=100):
            assert hit.score == pytest.approx(by_torch[hit.path], abs=0.01)
            assert hit.rank > 1 or hit.score >= 0.999
