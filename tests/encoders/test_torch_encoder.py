"""Every family gives what transformers itself gives; what can't be loaded is refused in one line."""

import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import ChineseCLIPImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from clipsearch.encoders.torch_encoder import TransformersEncoder
from clipsearch.errors import ClipSearchNotice, InputError, ModelError
from clipsearch.images.preprocess import resize_and_crop
from tests.support import tiny_models
from tests.support.tiny_models import CONTEXT_LENGTH, IMAGE_SIZE

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden"

FAMILIES = {
    "clip": (tiny_models.make_clip, CLIPImageProcessorPil),
    "siglip": (tiny_models.make_siglip, SiglipImageProcessorPil),
    "chinese_clip": (tiny_models.make_chinese_clip, ChineseCLIPImageProcessorPil),
    "altclip": (tiny_models.make_altclip, CLIPImageProcessorPil),
}
TEXTS = ["a dog", "the cat", "a", "two cat in on"]  # within the context, one token a byte


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: make(tmp_path_factory.mktemp(family)) for family, (make, _) in FAMILIES.items()}


@pytest.fixture(scope="module")
def encoders(directories: dict[str, Path]) -> dict[str, TransformersEncoder]:
    return {family: TransformersEncoder.load(path, device="cpu") for family, path in directories.items()}


@pytest.fixture
def clip_copy(directories: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(directories["clip"], tmp_path / "model"))


def pictures() -> list[Image.Image]:
    random = np.random.default_rng(7)
    shapes = [(40, 60, 3), (90, 33, 3), (32, 32, 3)]
    return [Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]


def unit(rows: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(rows, dim=-1).numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_equal_transformers(
    family: str, directories: dict[str, Path], encoders: dict[str, TransformersEncoder]
) -> None:
    encoder, images = encoders[family], pictures()
    processor = FAMILIES[family][1].from_pretrained(directories[family])
    model = AutoModel.from_pretrained(directories[family]).eval()
    with torch.inference_mode():
        expected = unit(model.get_image_features(**processor(images=images, return_tensors="pt")).pooler_output)
    crops = np.stack([resize_and_crop(image, encoder.preprocess) for image in images])
    embeddings = encoder.encode_images(crops)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, expected, atol=1e-5)
    # else a model that gives the same row for everything would pass
    assert (embeddings @ embeddings.T)[0, 1] < 0.999


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_equal_transformers(
    family: str, directories: dict[str, Path], encoders: dict[str, TransformersEncoder]
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(directories[family])
    model = AutoModel.from_pretrained(directories[family]).eval()
    if family == "siglip":
        encoded = tokenizer(TEXTS, padding="max_length", max_length=CONTEXT_LENGTH, return_tensors="pt")
        inputs = {"input_ids": encoded["input_ids"]}
    else:
        inputs = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = unit(model.get_text_features(**inputs).pooler_output)
    embeddings = encoders[family].encode_texts(TEXTS)
    np.testing.assert_allclose(embeddings, expected, atol=1e-5)
    assert (embeddings @ embeddings.T)[0, 1] < 0.999


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_equals_one_by_one_in_order(family: str, encoders: dict[str, TransformersEncoder]) -> None:
    texts = TEXTS * 40  # more than one batch, unequal lengths
    one_by_one = np.concatenate([encoders[family].encode_texts([text]) for text in TEXTS])
    np.testing.assert_allclose(encoders[family].encode_texts(texts), np.tile(one_by_one, (40, 1)), atol=1e-5)

    crops = np.random.default_rng(3).integers(0, 256, (35, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    one_by_one = np.concatenate([encoders[family].encode_images(crop[None]) for crop in crops])
    np.testing.assert_allclose(encoders[family].encode_images(crops), one_by_one, atol=1e-5)
    np.testing.assert_allclose(encoders[family].encode_images(list(crops)), one_by_one, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_in_gives_nothing_out(family: str, encoders: dict[str, TransformersEncoder]) -> None:
    encoder = encoders[family]
    assert encoder.encode_texts([]).shape == (0, encoder.dim)
    assert encoder.encode_images(np.zeros((0, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)).shape == (0, encoder.dim)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_context_is_what_the_model_takes(family: str, encoders: dict[str, TransformersEncoder]) -> None:
    # AltCLIP's tokenizer says 512 and the table has 18 positions of which the first two are never used
    assert encoders[family].context_length == CONTEXT_LENGTH


def test_long_text_is_the_mean_of_its_parts(encoders: dict[str, TransformersEncoder]) -> None:
    encoder = encoders["clip"]
    with pytest.warns(ClipSearchNotice, match="1 text was longer than the model's 16 tokens") as caught:
        long, short = encoder.encode_texts(["red donut on the car in snow", "a dog"])
    assert len(caught) == 1
    parts = encoder.encode_texts(["red donut on the", "car in snow"])  # 14 letters beside start and end
    mean = parts.mean(axis=0)
    np.testing.assert_allclose(long, mean / np.linalg.norm(mean), atol=1e-5)
    np.testing.assert_allclose(short, encoder.encode_texts(["a dog"])[0], atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_of_any_length_are_taken(family: str, encoders: dict[str, TransformersEncoder]) -> None:
    texts = ["a photo of a dog in snow " * 30, "x" * 500, "一只猫" * 60, "🐈" * 50, "", "İ" * 40]
    with pytest.warns(ClipSearchNotice, match=r"texts? (was|were) longer"):
        embeddings = encoders[family].encode_texts(texts)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-5)


def test_texts_that_fit_give_no_notice(encoders: dict[str, TransformersEncoder]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoders["clip"].encode_texts(["x" * (CONTEXT_LENGTH - 2)])


def test_heads(encoders: dict[str, TransformersEncoder]) -> None:
    assert encoders["clip"].head.kind == "softmax"
    assert encoders["clip"].head.logit_scale == pytest.approx(np.exp(2.6592), rel=1e-5)
    assert encoders["siglip"].head.kind == "sigmoid"
    assert encoders["siglip"].head.logit_bias == pytest.approx(float(encoders["siglip"].model.logit_bias.detach()))


def test_siglip_reads_lower_case_and_fills_the_context(encoders: dict[str, TransformersEncoder]) -> None:
    assert encoders["siglip"].tokenize("A Cat") == encoders["siglip"].tokenize("a cat")
    assert len(encoders["siglip"].tokenize("a")) == CONTEXT_LENGTH
    assert encoders["altclip"].tokenize("A Cat") != encoders["altclip"].tokenize("a cat")


def test_the_real_clip_tokenizer(tmp_path: Path) -> None:
    if not (GOLDEN / "clip_tokenizer").is_dir():
        pytest.skip("shared/golden/clip_tokenizer is not beside this checkout")
    directory = tiny_models.make_clip(tmp_path, tokenizer=GOLDEN / "clip_tokenizer")
    encoder = TransformersEncoder.load(directory)
    assert encoder.tokenize("a photo of a donut") == [49406, 320, 1125, 539, 320, 18471, 49407]
    assert encoder.tokenize("Hello World!") == [49406, 3306, 1002, 256, 49407]


def test_a_tokenizer_of_another_model_is_refused(clip_copy: Path) -> None:
    vocab = json.loads((clip_copy / "vocab.json").read_text())
    (clip_copy / "vocab.json").write_text(json.dumps({word: row + 100 for word, row in vocab.items()}))
    with pytest.raises(ModelError, match="beyond the model's vocabulary of 514"):
        TransformersEncoder.load(clip_copy)


def test_siglip_without_sentencepiece_reads_tokenizer_json(tmp_path: Path) -> None:
    plain = TransformersEncoder.load(tiny_models.make_siglip(tmp_path / "plain"))
    named = TransformersEncoder.load(tiny_models.make_siglip(tmp_path / "named", tokenizer_class="SiglipTokenizer"))
    assert named.tokenize("a cat") == plain.tokenize("a cat")


def test_loading_prints_nothing(directories: dict[str, Path], capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    logging.set_verbosity_warning()
    logging.enable_progress_bar()
    try:
        TransformersEncoder.load(directories["clip"])
        assert capfd.readouterr() == ("", "")
        assert logging.is_progress_bar_enabled()
    finally:
        logging.set_verbosity_error()
        logging.disable_progress_bar()


def test_fingerprint_follows_content_only(
    directories: dict[str, Path], clip_copy: Path, encoders: dict[str, TransformersEncoder], tmp_path: Path
) -> None:
    original = encoders["clip"].fingerprint
    assert len(original) == 64
    (clip_copy / "README.md").write_text("a copy elsewhere", encoding="utf-8")
    assert TransformersEncoder.load(clip_copy, name="other").fingerprint == original
    other_weights = TransformersEncoder.load(tiny_models.make_clip(tmp_path / "other", seed=1))
    assert other_weights.fingerprint != original


@pytest.mark.parametrize(
    "change",
    [
        lambda path: edit(path / "preprocessor_config.json", image_mean=[0.5, 0.5, 0.5]),
        lambda path: edit(path / "tokenizer_config.json", model_max_length=12),
        lambda path: edit_tower(path, "text_config", hidden_act="gelu"),
        lambda path: edit_tower(path, "vision_config", layer_norm_eps=1e-3),
    ],
    ids=["preprocessing", "tokenizer", "activation", "epsilon"],
)
def test_fingerprint_changes_with(
    change: Callable[[Path], None], clip_copy: Path, encoders: dict[str, TransformersEncoder]
) -> None:
    change(clip_copy)
    assert TransformersEncoder.load(clip_copy).fingerprint != encoders["clip"].fingerprint


def test_pickled_weights_are_refused(clip_copy: Path) -> None:
    weights = clip_copy / "model.safetensors"
    torch.save(load_file(weights), clip_copy / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(ModelError, match="safetensors only"):
        TransformersEncoder.load(clip_copy)


@pytest.mark.parametrize("damage", ["missing", "misshapen", "truncated"])
def test_damaged_weights_are_refused(damage: str, clip_copy: Path) -> None:
    weights = clip_copy / "model.safetensors"
    tensors = load_file(weights)
    if damage == "missing":
        del tensors["text_projection.weight"]
    elif damage == "misshapen":
        tensors["text_projection.weight"] = torch.zeros(24, 31)
    save_file(tensors, weights, metadata={"format": "pt"})
    if damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"lack|can't be loaded"):
        TransformersEncoder.load(clip_copy)


def test_code_of_the_model_is_never_run(clip_copy: Path) -> None:
    (clip_copy / "evil.py").write_text("raise SystemExit('code was run')", encoding="utf-8")
    edit(clip_copy / "config.json", auto_map={"AutoModel": "evil.Model", "AutoConfig": "evil.Config"})
    TransformersEncoder.load(clip_copy)  # a type transformers knows: its own class is taken
    edit(clip_copy / "config.json", model_type="evil")
    with pytest.raises(ModelError, match="code of its own"):
        TransformersEncoder.load(clip_copy)
    assert "evil" not in sys.modules


@pytest.mark.parametrize(
    ("model_type", "message"),
    [("bert", "one space"), ("no-such-type", "not one transformers knows"), ("siglip2", "fixed resolution")],
)
def test_models_that_do_not_fit_are_refused(model_type: str, message: str, clip_copy: Path) -> None:
    edit(clip_copy / "config.json", model_type=model_type)
    with pytest.raises(ModelError, match=message):
        TransformersEncoder.load(clip_copy)


@pytest.mark.parametrize(
    "name", ["config.json", "preprocessor_config.json", "merges.txt", "model.safetensors"], ids=lambda name: name
)
def test_missing_files_are_named(name: str, clip_copy: Path) -> None:
    (clip_copy / name).unlink()
    with pytest.raises(ModelError, match="has no"):
        TransformersEncoder.load(clip_copy)


def test_a_picture_size_the_model_does_not_take_is_refused(clip_copy: Path) -> None:
    edit(clip_copy / "preprocessor_config.json", crop_size={"height": 24, "width": 24})
    with pytest.raises(ModelError, match="24×24 pixels, the model takes 32×32"):
        TransformersEncoder.load(clip_copy)


def test_rows_without_direction_are_refused(clip_copy: Path) -> None:
    tensors = load_file(clip_copy / "model.safetensors")
    tensors["visual_projection.weight"] = torch.zeros_like(tensors["visual_projection.weight"])
    tensors["text_model.final_layer_norm.bias"] = torch.full((32,), float("nan"))
    save_file(tensors, clip_copy / "model.safetensors", metadata={"format": "pt"})
    encoder = TransformersEncoder.load(clip_copy)
    with pytest.raises(ModelError, match="a picture: the model gave an embedding that is zero"):
        encoder.encode_images(np.zeros((1, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8))
    with pytest.raises(ModelError, match="a text: the model gave an embedding that is zero"):
        encoder.encode_texts(["a dog"])


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", "xpu"])
def test_a_device_that_is_not_here_is_an_error(device: str, directories: dict[str, Path]) -> None:
    with pytest.raises((InputError, ModelError), match=f"{device!r}(:| is)"):
        TransformersEncoder.load(directories["clip"], device=device)


def test_crops_of_another_shape_are_an_error(encoders: dict[str, TransformersEncoder]) -> None:
    with pytest.raises(ValueError, match="uint8"):
        encoders["clip"].encode_images(np.zeros((1, 3, IMAGE_SIZE, IMAGE_SIZE), np.uint8))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}), encoding="utf-8")


def edit_tower(directory: Path, tower: str, **changes: object) -> None:
    config = json.loads((directory / "config.json").read_text())
    edit(directory / "config.json", **{tower: {**config[tower], **changes}})
