"""The starter model: what it is made of, and that it runs the same however it is run."""

import hashlib
import json
import warnings

import numpy as np
import pytest

from clipsearch.encoders import load
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.load import STARTER_DIRECTORY, load_encoder
from clipsearch.encoders.long_text import split_text
from clipsearch.encoders.openvino.encoder import CompiledEncoder, import_openvino
from clipsearch.errors import ClipSearchNotice, ModelError
from clipsearch.images.preprocess import to_pixel_values
from clipsearch.processes import run_python
from clipsearch.types import ModelOptions
from clipsearch.vectors import normalise


@pytest.fixture(scope="module")
def starter() -> Encoder:
    return load_encoder("starter")


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (21, 260, 260, 3), dtype=np.uint8)


def test_its_files_are_those_it_describes():
    spec = json.loads((STARTER_DIRECTORY / "model.json").read_text())
    for part in ("image", "text"):
        content = (STARTER_DIRECTORY / spec[part]["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == spec[part]["sha256"]
    assert sum(file.stat().st_size for file in STARTER_DIRECTORY.iterdir()) <= 40e6


def test_a_starter_of_other_files_is_refused(tmp_path, monkeypatch):
    for file in STARTER_DIRECTORY.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    content = bytearray((tmp_path / "image.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "image.onnx").write_bytes(content)
    monkeypatch.setattr(load, "STARTER_DIRECTORY", tmp_path)
    with pytest.raises(ModelError, match="starter model is damaged: install clipsearch again"):
        load_encoder("starter")


def test_rows_are_unit_norm_float32_in_order(starter, crops):
    rows = starter.encode_images(crops)
    assert rows.shape == (21, 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    alone = np.concatenate([starter.encode_images(crops[row : row + 1]) for row in (0, 7, 8, 20)])
    np.testing.assert_allclose(rows[[0, 7, 8, 20]], alone, atol=1e-4)


def test_several_streams_agree_with_one(starter, crops):
    # Some int8 exports are garbage with more than one stream: any compiled model is checked.
    openvino = import_openvino()
    options = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}
    one = openvino.Core().compile_model(str(STARTER_DIRECTORY / "image.onnx"), "CPU", options).create_infer_request()
    one.infer({0: to_pixel_values(crops, starter.preprocess)})
    expected = np.array(one.get_output_tensor(0).data)
    assert (starter.encode_images(crops) * expected).sum(axis=1).min() > 0.9999


def test_openvino_is_not_used_while_another_thread_still_imports_it():
    code = """
import sys, threading
from clipsearch.openvino_loader import import_openvino
from clipsearch.types import ModelOptions
first = threading.Thread(target=import_openvino)
first.start()
while "openvino" not in sys.modules and first.is_alive():
    pass
found = import_openvino()
print(found.convert_model.__module__, found.Core().available_devices)
first.join()
print(sys.modules["openvino_telemetry"], "openvino.tools.ovc" in sys.modules)
"""
    done = run_python(["-c", code])
    assert done.stdout.startswith("clipsearch.openvino_loader ["), done.stderr
    assert done.stdout.endswith("]\nNone False\n")


def test_operation_sets_of_openvino_are_imported_when_they_are_used():
    code = """
import sys
from clipsearch.openvino_loader import import_openvino
openvino = import_openvino()
print([name for name in sys.modules if name.startswith("openvino.opset")], hasattr(openvino, "opset"))
print(openvino.opset13.add.__module__, openvino.opset13 is sys.modules["openvino.opset13"])
from openvino import opset1
print(callable(opset1.matmul))
"""
    done = run_python(["-c", code])
    assert done.stdout.splitlines() == ["[] False", "openvino.opset1.ops True", "True"], done.stderr


def test_input_is_left_as_it_was(starter, crops):
    before = crops.copy()
    starter.encode_images(crops)
    starter.encode_images(crops[:3])
    np.testing.assert_array_equal(crops, before)


def test_texts_of_any_length_in_one_batch_equal_one_by_one(starter):
    texts = [
        "a cat",
        "a long sentence about a dog that runs over a green field towards its owner",
        "x",
        "ein Haus",
    ] * 20
    rows = starter.encode_texts(texts)
    alone = np.concatenate([starter.encode_texts([text]) for text in texts[:4]])
    assert (rows[:4] * alone).sum(axis=1).min() > 0.9999
    np.testing.assert_allclose(rows[4:8], rows[:4], atol=1e-5)


def test_long_text_is_split_and_told(starter):
    long = "a photo of a cat on a sofa in the sun, " * 30
    with pytest.warns(ClipSearchNotice, match="1 text was longer than the model's 64 tokens"):
        rows = starter.encode_texts(["a cat", long])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = split_text(long, starter._offsets([long])[0], starter.context_length - 2)
        assert len(parts) > 1
        short = starter.encode_texts(["a cat", *parts])
    np.testing.assert_allclose(rows[0], short[0], atol=1e-5)
    np.testing.assert_allclose(rows[1], normalise(short[1:].mean(axis=0, keepdims=True))[0], atol=1e-5)


def test_nothing_gives_no_rows(starter):
    assert starter.encode_texts([]).shape == (0, 384)
    assert starter.encode_images(np.empty((0, 260, 260, 3), np.uint8)).shape == (0, 384)


def test_tokens(starter):
    assert starter.tokenize("a photo of a donut")[0] == 101
    assert starter.tokenize("a photo of a donut")[-1] == 102


def test_its_fingerprint_is_of_its_content(starter, tmp_path):
    for file in STARTER_DIRECTORY.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert CompiledEncoder(tmp_path, name="copy").fingerprint == starter.fingerprint
    spec = json.loads((tmp_path / "model.json").read_text())
    spec["preprocess"]["mean"][0] += 0.01
    (tmp_path / "model.json").write_text(json.dumps(spec))
    assert CompiledEncoder(tmp_path, name="copy").fingerprint != starter.fingerprint


@pytest.mark.parametrize("broken", ["{", '{"format": 2}', '{"format": 1}', "[]"])
def test_a_broken_description_is_one_error(tmp_path, broken):
    (tmp_path / "model.json").write_text(broken)
    with pytest.raises(ModelError):
        CompiledEncoder(tmp_path, name="broken")


def test_a_damaged_model_file_is_one_error(tmp_path):
    for file in STARTER_DIRECTORY.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "text.onnx").write_bytes(b"nothing")
    (tmp_path / "tokenizer.json").write_text("{}")
    encoder = CompiledEncoder(tmp_path, name="damaged")
    with pytest.raises(ModelError, match="tokenizer"):
        encoder.encode_texts(["a cat"])
    (tmp_path / "tokenizer.json").write_bytes((STARTER_DIRECTORY / "tokenizer.json").read_bytes())
    with pytest.raises(ModelError, match="text model"):
        CompiledEncoder(tmp_path, name="damaged").encode_texts(["a cat"])


def test_a_device_that_was_named_is_never_replaced():
    assert load_encoder(ModelOptions("starter", device="cpu")).name == "starter"
    with pytest.raises(ModelError, match="can't run on cuda"):
        load_encoder(ModelOptions("starter", device="cuda"))
