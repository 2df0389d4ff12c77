"""Models whose files are damaged, incomplete or somebody else's: one clear line or made anew, never random weights."""

import json
import shutil
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from clipsearch.encoders.load import load_encoder
from clipsearch.encoders.openvino import cache as compile_cache
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.encoders.torch_encoder import TransformersEncoder
from clipsearch.errors import ClipSearchNotice, ModelError, ModelUnavailableError
from clipsearch.types import ModelOptions
from tests.support.tiny_clips import compile_by_copying, compile_in_this_process
from tests.support.tiny_models import make_siglip


@pytest.fixture(scope="module")
def made(tiny_clips) -> Path:
    return tiny_clips.find_source()


@pytest.fixture
def model(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "model"))


@pytest.fixture(scope="module")
def compiled_twice(tiny_clips) -> tuple[Path, Path]:
    """Two models that differ in their weights only."""
    return tiny_clips.find_compiled(0), tiny_clips.find_compiled(1)


def refusal(model: Path) -> str:
    """What one is told; the same line whichever way it is loaded."""
    with pytest.raises(ModelError) as direct:
        TransformersEncoder.load(model, device="cpu")
    assert "\n" not in str(direct.value)
    assert len(str(direct.value)) < 500
    return str(direct.value)


def weights_of(model: Path) -> Path:
    return model / "model.safetensors"


@pytest.mark.parametrize("share", [0, 0.0001, 0.01, 0.3, 0.7, 0.999])
def test_weights_cut_short_are_refused(model, share):
    content = weights_of(model).read_bytes()
    weights_of(model).write_bytes(content[: int(len(content) * share)])
    assert "can't be loaded" in refusal(model)


def test_no_flipped_bit_in_the_header_of_weights_gives_another_model(model, made):
    """The header names the tensors, their shapes and where they lie: a flip is refused or changes nothing."""
    content = weights_of(model).read_bytes()
    length = int.from_bytes(content[:8], "little")
    expected = TransformersEncoder.load(made, device="cpu").encode_texts(["a cat"])
    rng = np.random.default_rng(0)
    places = [*range(8), *rng.integers(8, 8 + length, 40).tolist()]
    refused = 0
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        weights_of(model).write_bytes(changed)
        try:
            rows = TransformersEncoder.load(model, device="cpu").encode_texts(["a cat"])
        except ModelError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            np.testing.assert_allclose(rows, expected, atol=1e-6)
    assert refused > len(places) // 2


@pytest.mark.parametrize("prefix", ["vision_model", "text_model", "visual_projection", "logit_scale"])
def test_weights_that_lack_tensors_are_refused(model, prefix):
    tensors = load_file(weights_of(model))
    left = {name: tensor for name, tensor in tensors.items() if not name.startswith(prefix)}
    assert len(left) < len(tensors)
    save_file(left, weights_of(model), metadata={"format": "pt"})
    assert "lack" in refusal(model)


def test_weights_of_another_shape_are_refused(model):
    tensors = load_file(weights_of(model))
    name = "vision_model.embeddings.patch_embedding.weight"
    tensors[name] = torch.zeros(32, 3, 4, 4)
    save_file(tensors, weights_of(model), metadata={"format": "pt"})
    assert "other shapes than its config says" in refusal(model)


def test_no_weights_at_all_are_refused(model):
    save_file({}, weights_of(model), metadata={"format": "pt"})
    refusal(model)


def change_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def remove(*names: str) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        for name in names:
            (model / name).unlink()

    return damage


def take_siglip_config(model: Path) -> None:
    other = make_siglip(model.parent / "siglip")
    shutil.copy(other / "config.json", model)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove("vocab.json", "merges.txt"), "has no tokenizer files"),
        (remove("merges.txt"), "has no tokenizer files"),
        (remove("preprocessor_config.json"), "has no preprocessor_config.json"),
        (remove("config.json"), "has no config.json"),
        (take_siglip_config, "lack"),
        (lambda model: (model / "vocab.json").write_text("{"), "tokenizer can't be loaded"),
        (lambda model: (model / "config.json").write_text("[" * 100_000), "can't be read"),
        (lambda model: (model / "config.json").write_text("[]"), "does not hold a JSON object"),
        (lambda model: change_json(model / "config.json", model_type="vit"), "one space"),
        (lambda model: change_json(model / "preprocessor_config.json", image_mean=["x"]), ""),
    ],
    ids=[
        "no tokenizer", "half a tokenizer", "no preprocessor", "no config", "config of SigLIP", "broken tokenizer",
        "deep config", "no object", "no dual encoder", "odd preprocessor",
    ],
)  # fmt: skip
def test_a_directory_that_lacks_something_is_refused_in_one_line(model, damage, message, monkeypatch):
    compile_in_this_process(monkeypatch)
    damage(model)
    assert message in refusal(model)
    with pytest.raises(ModelError) as caught:
        load_encoder(str(model))
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, ModelUnavailableError)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt"])
def test_pickled_weights_are_never_read(model, name, tmp_path):
    mark = tmp_path / "was run"
    code = f"c__builtin__\nexec\n(S'open({str(mark)!r}, \"w\")'\ntR."
    weights_of(model).unlink()
    (model / name).write_bytes(code.encode())
    assert "safetensors only" in refusal(model)
    with pytest.raises(ModelError, match="safetensors only"):
        load_encoder(str(model))
    assert not mark.exists()


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "tokenizer_config.json"])
def test_code_beside_a_model_is_never_run(model, file, tmp_path, monkeypatch):
    compile_in_this_process(monkeypatch)
    mark = tmp_path / "was run"
    (model / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Evil: pass\n")
    names = ("AutoConfig", "AutoModel", "AutoTokenizer", "AutoImageProcessor", "AutoProcessor")
    change_json(model / file, auto_map=dict.fromkeys(names, "evil.Evil"), trust_remote_code=True)
    try:
        load_encoder(ModelOptions(str(model), runtime=None if file == "config.json" else "torch"))
    except ModelError as error:
        assert "\n" not in str(error)
    change_json(model / "config.json", model_type="evil")
    assert "code of its own" in refusal(model) or file != "config.json"
    assert not mark.exists()


def test_a_compiled_directory_of_a_newer_format_is_refused(compiled_twice, tmp_path):
    model = Path(shutil.copytree(compiled_twice[0], tmp_path / "newer"))
    change_json(model / "model.json", format=3)
    with pytest.raises(ModelError, match=r"has format 3; this clipsearch reads up to format 2"):
        load_encoder(str(model))


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        *product(["cut", "flipped", "of another", "gone"], ["image.xml", "image.bin", "text.xml", "text.bin"]),
        *product(["cut", "flipped", "gone"], ["tokenizer.json"]),  # both models have the same one
    ],
)
def test_a_damaged_compiled_model_is_refused(compiled_twice, tmp_path, name, damage):
    model = Path(shutil.copytree(compiled_twice[0], tmp_path / "damaged"))
    path = model / name
    content = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "flipped":
            path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
        case "of another":
            other = (compiled_twice[1] / name).read_bytes()
            assert other != content
            path.write_bytes(other)
        case "gone":
            path.unlink()
    with pytest.raises(ModelError, match=r"is damaged|has no file"):
        load_encoder(str(model))


def test_all_files_of_another_model_are_that_model(compiled_twice, tmp_path):
    """Weights, graph and description together: another fingerprint, which no catalog of the first one takes."""
    one, two = (CompiledEncoder(path, name="tiny") for path in compiled_twice)
    assert one.fingerprint != two.fingerprint
    assert not np.allclose(one.encode_texts(["a cat"]), two.encode_texts(["a cat"]), atol=1e-2)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"reason": "no"}'])
def test_a_damaged_note_of_a_refusal_means_another_try(model, content, compiled_clip, monkeypatch):
    tried = compile_by_copying(compiled_clip, monkeypatch)
    target = compile_cache._target(model)
    target.mkdir(parents=True)
    (target / "refused.json").write_bytes(content)
    assert compile_cache.find_refusal(model) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error", ClipSearchNotice)
        assert isinstance(load_encoder(str(model)), CompiledEncoder)
    assert tried == [model]
