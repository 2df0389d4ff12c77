"""Models in int8: rows near those of float32, or none at all; and which precision a model is run in."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipsearch.encoders import precision as precisions
from clipsearch.encoders.load import find_precision, load_encoder
from clipsearch.encoders.openvino import cache as compile_cache
from clipsearch.encoders.openvino import int8, quantise
from clipsearch.encoders.openvino.agreement import Agreement, compare_rows
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.encoders.openvino.int8_record import Int8Record, read_record, write_record
from clipsearch.encoders.openvino.spec import BULK_ROWS, read_spec, write_spec
from clipsearch.errors import InputError, ModelError
from clipsearch.openvino_loader import import_openvino
from clipsearch.types import ModelOptions

CLOSE = Agreement(worst=0.995, mean=0.998, neighbours=0.95)
RECORD = Int8Record(image_ms=10.0, other_ms=20.0, other="f32", images=CLOSE, texts=None, kept_layers=1, layers=8)


def require_wide_sums() -> None:
    if not int8.has_int8_products():
        pytest.skip("sums of int8 products overflow 16 bits on this processor, which has no VNNI")


@pytest.fixture(scope="module", params=["int8 sums in 32 bits", "in 16 bits, as convolutions"])
def made(request, tiny_clips, tmp_path_factory) -> tuple[Path, Path, Int8Record]:
    """The tiny CLIP, the same in int8, and what was measured, for both kinds of processor."""
    if request.param.endswith("32 bits"):
        require_wide_sums()
    source, target = tiny_clips.find_compiled(), tmp_path_factory.mktemp("int8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(int8, "has_int8_products", lambda: request.param.endswith("32 bits"))
        record = int8.make_int8(source, target)
    return source, target, record


def test_rows_are_near_those_of_float32(made):
    source, target, record = made
    crops = np.random.default_rng(1).integers(0, 256, (BULK_ROWS + 3, 32, 32, 3), dtype=np.uint8)
    exact = CompiledEncoder(source, name="exact", precision="f32")
    encoder = CompiledEncoder(target, name="int8")
    assert (encoder.precision, encoder.fingerprint) == ("int8", exact.fingerprint)
    rows = encoder.encode_images(crops)
    assert (rows * exact.encode_images(crops)).sum(axis=1).min() >= 0.98  # of noise, which is not in the sample
    assert not np.array_equal(rows, exact.encode_images(crops))
    # A request of eight and one of fewer use different models where there is one for bulk.
    alone = np.concatenate([encoder.encode_images(crop[np.newaxis]) for crop in crops])
    assert (rows * alone).sum(axis=1).min() >= 0.999
    assert record.images.is_close
    assert record.kept_layers < record.layers == 14


def test_the_last_crops_of_a_batch_need_no_model_of_their_own(made):
    _, target, _ = made
    has_bulk = read_spec(target).bulk_file is not None
    crops = np.random.default_rng(1).integers(0, 256, (BULK_ROWS + 5, 32, 32, 3), dtype=np.uint8)
    encoder = CompiledEncoder(target, name="int8")
    opened = spy_on(encoder)
    rows = encoder.encode_images(crops)
    assert opened == ([True] if has_bulk else [False])
    # Only a few times: then the other model is loaded.
    alone = [encoder.encode_images(crops[-1:])[0] for _ in range(4)]
    assert opened == ([True, False] if has_bulk else [False])
    for row in alone:
        np.testing.assert_allclose(row, rows[-1], atol=0.01)
    np.testing.assert_allclose(encoder.encode_images(crops), rows, atol=0.01)


def spy_on(encoder: CompiledEncoder) -> list[bool]:
    """The kinds of image models that the encoder loads, as they are loaded: whether for crops in bulk."""
    opened: list[bool] = []
    load = encoder._load

    def spied(part, *arguments):
        opened.append(part == "bulk")
        return load(part, *arguments)

    encoder._load = spied  # type: ignore[method-assign]
    return opened


def test_linear_layers_become_convolutions_where_sums_have_16_bits(made, request):
    _, target, _ = made
    bulk = read_spec(target).bulk_file
    assert bulk is None or "FakeQuantize" in (target / bulk).read_text(encoding="utf-8")
    assert (bulk is None) == ("32 bits" in request.node.callspec.id)


def test_what_was_measured_is_read_again(made):
    _, target, record = made
    assert read_record(target) == record


def test_record_of_another_machine_is_ignored(tmp_path):
    write_record(tmp_path, RECORD)
    assert read_record(tmp_path) == RECORD
    content = json.loads((tmp_path / "int8.json").read_text())
    for key, value in {"machine": {"processor": "another", "cores": 2}, "image_ms": 0, "images": None}.items():
        (tmp_path / "int8.json").write_text(json.dumps({**content, key: value}))
        assert read_record(tmp_path) is None, key


def test_model_that_is_too_far_in_int8_is_refused_with_the_reason(tiny_clips, tmp_path, monkeypatch):
    monkeypatch.setattr(int8, "compare_rows", lambda rows, exact: Agreement(0.5, 0.9, 0.1))
    with pytest.raises(int8.NotQuantisableError, match=r"too far from float32 .*0\.5000 at worst"):
        int8.make_int8(tiny_clips.find_compiled(), tmp_path)


def test_agreement_counts_cosines_and_neighbours():
    rng = np.random.default_rng(0)
    exact = rng.standard_normal((30, 16)).astype(np.float32)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    assert compare_rows(exact, exact).is_close
    turned = exact.copy()
    turned[3] = -turned[3]
    found = compare_rows(turned, exact)
    assert found.worst == pytest.approx(-1, abs=1e-6)
    assert found.mean == pytest.approx(28 / 30, abs=1e-6)
    assert 0.5 < found.neighbours < 1
    assert not found.is_close
    assert not compare_rows(np.full_like(exact, np.nan), exact).is_close


def linear_model(weights: np.ndarray):
    openvino = import_openvino()
    operations = openvino.opset13
    tokens = operations.parameter([-1, 5, weights.shape[1]], np.float32, name="tokens")
    product = operations.matmul(tokens, operations.constant(weights), False, True)
    return openvino.Model([product], [tokens])


@pytest.mark.parametrize("as_convolutions", [False, True])
@pytest.mark.parametrize("has_wide_sums", [False, True])
def test_channel_with_large_values_does_not_drown_the_others(as_convolutions, has_wide_sums):
    if has_wide_sums:
        require_wide_sums()
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((24, 16)).astype(np.float32)
    tokens = rng.standard_normal((8, 5, 16)).astype(np.float32)
    tokens[..., 7] *= 300
    weights[:, 7] /= 300
    ranges = quantise.observe_ranges(linear_model(weights), [{0: tokens}])
    model = linear_model(weights)
    quantise.quantise_model(model, ranges, has_wide_sums=has_wide_sums, as_convolutions=as_convolutions)
    compiled = import_openvino().Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found, exact = compiled({0: tokens})[0], tokens @ weights.T
    assert np.linalg.norm(found - exact) < 0.03 * np.linalg.norm(exact)
    assert "FakeQuantize" in {node.get_type_name() for node in model.get_ops()}


def test_layers_that_are_kept_stay_in_floating_point():
    weights = np.ones((24, 16), dtype=np.float32)
    ranges = quantise.observe_ranges(linear_model(weights), [{0: np.ones((1, 5, 16), dtype=np.float32)}])
    model = linear_model(weights)
    (layer,) = quantise.find_layers(model)
    assert quantise.rank_layers([layer], ranges, has_wide_sums=True) == [layer.name]
    quantise.quantise_model(model, ranges, kept={layer.name}, has_wide_sums=True, as_convolutions=False)
    assert "FakeQuantize" not in {node.get_type_name() for node in model.get_ops()}


@pytest.fixture
def in_both(tiny_clips, tmp_path) -> Path:
    """The tiny CLIP, compiled, with a stand-in for its int8 form in the cache: the same files."""
    compiled = tmp_path / "compiled"
    shutil.copytree(tiny_clips.find_compiled(), compiled)
    put_int8(compiled, RECORD)
    return compiled


def put_int8(compiled: Path, record: Int8Record) -> Path:
    target = compile_cache.int8_directory(compiled)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(compiled, target)
    write_spec(target, replace(read_spec(target), precision="int8"))
    write_record(target, record)
    return target


def precision_of(directory: Path, precision: str | None = None) -> str:
    options = ModelOptions(str(directory), precision=precision)
    encoder = load_encoder(options)
    assert isinstance(encoder, CompiledEncoder)
    assert find_precision(options) == encoder.precision
    return encoder.precision


def test_int8_is_taken_unasked_only_where_it_is_much_faster(in_both):
    assert precision_of(in_both) == precision_of(in_both, "auto") == precision_of(in_both, "int8") == "int8"
    put_int8(in_both, replace(RECORD, image_ms=16.0))
    assert precision_of(in_both) == read_spec(in_both).precision
    assert precision_of(in_both, "int8") == "int8"
    assert precision_of(in_both, "f32") == "f32"


def test_damaged_int8_model_is_not_used(in_both):
    (compile_cache.int8_directory(in_both) / "image.bin").write_bytes(b"damaged")
    with pytest.warns(match="int8 is not used"):
        assert load_encoder(ModelOptions(str(in_both))).precision == read_spec(in_both).precision


def test_bf16_is_refused_where_it_is_too_far_or_not_there(in_both, monkeypatch):
    monkeypatch.setattr(precisions, "can_calculate_with", lambda precision: True)
    write_spec(in_both, replace(read_spec(in_both), precision="f32"))
    with pytest.raises(ModelError, match="can't run in bf16: its rows would be too far from float32"):
        load_encoder(ModelOptions(str(in_both), precision="bf16"))
    monkeypatch.setattr(precisions, "can_calculate_with", lambda precision: False)
    with pytest.raises(ModelError, match="this processor has no bfloat16 arithmetic: leave --precision"):
        load_encoder(ModelOptions(str(in_both), precision="bf16"))


def test_precision_needs_openvino_on_the_processor():
    with pytest.raises(InputError, match="invalid precision 'int4': use auto, f32, bf16 or int8"):
        load_encoder(ModelOptions("starter", precision="int4"))
    with pytest.raises(ModelError, match="can't run in int8 with torch"):
        load_encoder(ModelOptions("starter", runtime="torch", precision="int8"))
    with pytest.raises(ModelError, match="can't run in f32 on cuda"):
        load_encoder(ModelOptions("starter", device="cuda", precision="f32"))


def test_refusal_is_remembered(tiny_clips, monkeypatch):
    runs = []

    def run(arguments, **variables):
        runs.append(arguments)
        return subprocess.CompletedProcess(arguments, 1, "", "x.NotQuantisableError: int8 is too far: 0.9")

    monkeypatch.setattr(compile_cache, "run_python", run)
    for _ in range(2):
        with pytest.raises(ModelError, match=r"can't run in int8: int8 is too far: 0\.9: leave --precision"):
            load_encoder(ModelOptions(str(tiny_clips.find_compiled()), precision="int8"))
    assert len(runs) == 1


def test_int8_model_is_made_once_and_cached(tiny_clips, monkeypatch):
    runs = []

    def run(arguments, **variables):
        runs.append(arguments)
        int8.make_int8(*map(Path, arguments[-2:]))
        return subprocess.CompletedProcess(arguments, 0, "", "")

    monkeypatch.setattr(compile_cache, "run_python", run)
    for _ in range(2):
        assert precision_of(tiny_clips.find_compiled(), "int8") == "int8"
    assert len(runs) == 1


def test_starter_refuses_bf16():
    with pytest.raises(ModelError, match="starter can't run in bf16"):
        load_encoder(ModelOptions("starter", precision="bf16"))


def test_quantising_needs_no_torch():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, clipsearch.encoders.openvino.int8; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
