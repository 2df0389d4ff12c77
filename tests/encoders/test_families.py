"""Each family gives the rows and probabilities of its own processor and model, run by torch or compiled."""

import json
import shutil
import signal
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoModel, AutoTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.efficientnet.image_processing_pil_efficientnet import EfficientNetImageProcessorPil
from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

from clipsearch import Catalog
from clipsearch.encoders import load
from clipsearch.encoders.base import ProbabilityHead, with_patches
from clipsearch.encoders.embed_image import embed_pictures, picture_crop
from clipsearch.encoders.openvino import cache as compile_cache
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.encoders.openvino.spec import read_spec
from clipsearch.encoders.torch_encoder import TransformersEncoder
from clipsearch.encoders.tracing import walk
from clipsearch.errors import ClipSearchNotice, ModelError
from clipsearch.gallery.heat_map import make_heat_map
from clipsearch.types import ModelOptions
from tests.support import tiny_families
from tests.support.tiny_models import CONTEXT_LENGTH, IMAGE_SIZE, compile_quietly, make_altclip, write_json

TEXTS = ["a dog", "A Cat", "a", "the red car in the snow"]


class Tipsv2ImageProcessor:
    """The published one needs torchvision: pictures are resized bilinearly and divided by 255."""

    @classmethod
    def from_pretrained(cls, directory: Path) -> "Tipsv2ImageProcessor":
        return cls()

    def __call__(self, images: list[Image.Image], return_tensors: str) -> dict[str, torch.Tensor]:
        pixels = [np.array(image.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)) for image in images]
        return {"pixel_values": torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255}


@dataclass(frozen=True)
class Case:
    """A family: how to make a tiny model of it, its image processor, and how its own processor treats texts."""

    make: Callable[[Path], Path]
    image_processor: Any
    padding: str = "longest"
    lower_case: bool = False
    head: str = "softmax"
    prompt: str = ""


CASES = {
    "altclip": Case(make_altclip, CLIPImageProcessorPil),
    "tipsv2": Case(tiny_families.make_tipsv2, Tipsv2ImageProcessor, "max_length", lower_case=True),
    "siglip2 naflex": Case(
        tiny_families.make_naflex, Siglip2ImageProcessorPil, "max_length", lower_case=True, head="sigmoid"
    ),
    "metaclip_2": Case(tiny_families.make_metaclip_2, CLIPImageProcessorPil),
    "aimv2": Case(tiny_families.make_aimv2, CLIPImageProcessorPil),
    "align": Case(tiny_families.make_align, EfficientNetImageProcessorPil, "max_length"),
    "embedding_gemma2": Case(
        tiny_families.make_embedding_gemma_2, Gemma4ImageProcessorPil, prompt="the photo of ", head="none"
    ),
}


@dataclass(frozen=True)
class Built:
    """A tiny model, loaded by clipsearch, and what transformers' own processor and model give."""

    case: Case
    directory: Path
    encoder: TransformersEncoder
    compiled: CompiledEncoder
    files: list[Path]
    model: Any
    image_inputs: dict[str, torch.Tensor]
    text_inputs: dict[str, torch.Tensor]


@pytest.fixture(scope="module", params=CASES)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    case, folder = CASES[request.param], tmp_path_factory.mktemp("family")
    directory = case.make(folder / "model")
    if request.param in ("aimv2", "embedding_gemma2"):  # in a process, as OpenVINO crashes with their gated MLPs
        compiled = compile_cache.make_compiled(directory)
    else:
        compiled = folder / "compiled"
        compile_quietly(directory, compiled)
    files = save_pictures(folder)
    images = [Image.open(path).convert("RGB") for path in files]
    tokenizer = AutoTokenizer.from_pretrained(directory)
    texts = [case.prompt + (text.lower() if case.lower_case else text) for text in TEXTS]
    return Built(
        case=case,
        directory=directory,
        encoder=TransformersEncoder.load(directory, device="cpu"),
        compiled=CompiledEncoder(compiled, name="compiled", cache_blobs=False),
        files=files,
        model=AutoModel.from_pretrained(directory).eval(),
        image_inputs=dict(case.image_processor.from_pretrained(directory)(images=images, return_tensors="pt")),
        text_inputs=dict(tokenizer(texts, padding=case.padding, max_length=CONTEXT_LENGTH, return_tensors="pt")),
    )


def save_pictures(folder: Path) -> list[Path]:
    """Smooth pictures of several shapes, as files."""
    rng, files = np.random.default_rng(3), []
    for number, size in enumerate([(60, 40), (33, 90), (32, 32), (150, 20)]):
        coarse = Image.fromarray(rng.integers(0, 256, (3, 3, 3), dtype=np.uint8))
        files.append(folder / f"{number}.png")
        coarse.resize(size, Image.Resampling.BICUBIC).save(files[-1])
    return files


def unit(features: torch.Tensor) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = torch.nn.functional.normalize(features, dim=-1).numpy()
    return rows


def image_rows(built: Built) -> NDArray[np.float32]:
    """Rows of the pictures, by transformers alone."""
    with torch.inference_mode():
        if built.case.head == "none":
            return np.concatenate([gemma_row(built, row) for row in range(len(built.files))])
        return unit(built.model.get_image_features(**built.image_inputs).pooler_output)


def gemma_row(built: Built, row: int) -> NDArray[np.float32]:
    """EmbeddingGemma's row of one picture: the text its processor makes of it, forward, and the mean of all tokens."""
    count = int(built.image_inputs["num_soft_tokens_per_image"][row])
    input_ids = torch.tensor([[2, 4, *[5] * count, 6, 1]])  # bos, boi, tokens of the picture, eoi, eos
    inputs = {key: built.image_inputs[key][row : row + 1] for key in ("pixel_values", "image_position_ids")}
    output = built.model(input_ids=input_ids, attention_mask=torch.ones_like(input_ids), **inputs)
    return unit(output.last_hidden_state.mean(dim=1))


def text_rows(built: Built) -> NDArray[np.float32]:
    """Rows of the texts, by transformers alone."""
    with torch.inference_mode():
        if built.case.head == "none":
            mask = built.text_inputs["attention_mask"][..., None]
            output = built.model(**built.text_inputs).last_hidden_state
            return unit((output * mask).sum(dim=1) / mask.sum(dim=1))
        return unit(built.model.get_text_features(**built.text_inputs).pooler_output)


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    return (left * right).sum(axis=1)


def spread(rows: NDArray[np.float32]) -> float:
    """The smallest cosine: of a model that gives the same row for everything it would be 1."""
    return float((rows @ rows.T).min())


def test_pictures_equal_transformers(built: Built) -> None:
    expected = image_rows(built)
    rows = embed_pictures(built.files, encoder=built.encoder)
    assert cosines(rows, expected).min() >= 0.9999
    assert cosines(embed_pictures(built.files, encoder=built.compiled), expected).min() >= 0.999
    assert spread(expected) < 0.99


def test_texts_equal_transformers(built: Built) -> None:
    expected = text_rows(built)
    assert cosines(built.encoder.encode_texts(TEXTS), expected).min() >= 0.9999
    assert cosines(built.compiled.encode_texts(TEXTS), expected).min() >= 0.999
    assert spread(expected) < 0.99


def test_probabilities_equal_transformers(built: Built) -> None:
    if built.case.head == "none":  # no scale is published
        assert built.encoder.head == ProbabilityHead("softmax", logit_scale=20.0)
        return
    with torch.inference_mode():
        logits = built.model(**built.image_inputs, **built.text_inputs).logits_per_image
    expected = (logits.sigmoid() if built.case.head == "sigmoid" else logits.softmax(dim=-1)).numpy()
    scores = embed_pictures(built.files, encoder=built.encoder) @ built.encoder.encode_texts(TEXTS).T
    assert built.encoder.head.kind == built.case.head
    np.testing.assert_allclose(built.encoder.head.probabilities(scores), expected, atol=1e-3)


def test_the_compiled_model_is_described_as_the_one_it_is_made_from(built: Built) -> None:
    assert built.compiled.fingerprint == built.encoder.fingerprint
    assert built.compiled.head == built.encoder.head
    assert built.compiled.preprocess == built.encoder.preprocess
    assert built.compiled.patch_grid == built.encoder.patch_grid
    assert (built.compiled.dim, built.compiled.context_length) == (built.encoder.dim, CONTEXT_LENGTH)


def test_a_batch_equals_one_by_one(built: Built) -> None:
    rows = embed_pictures(built.files, encoder=built.encoder)
    alone = np.concatenate([embed_pictures([path], encoder=built.encoder) for path in built.files])
    np.testing.assert_allclose(rows, alone, atol=1e-5)
    texts = np.concatenate([built.encoder.encode_texts([text]) for text in TEXTS])
    np.testing.assert_allclose(built.encoder.encode_texts(TEXTS), texts, atol=1e-5)
    texts = np.concatenate([built.compiled.encode_texts([text]) for text in TEXTS])
    assert cosines(built.compiled.encode_texts(TEXTS), texts).min() >= 0.999


def test_texts_of_any_length_are_taken(built: Built) -> None:
    texts = ["a photo of a dog in snow " * 30, "", "🐈" * 50]
    for encoder in (built.encoder, built.compiled):
        with pytest.warns(ClipSearchNotice, match=r"texts? (was|were) longer"):
            rows = encoder.encode_texts(texts)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_half_precision_is_used_only_if_its_rows_agree(built: Built) -> None:
    half = TransformersEncoder.load(built.directory, device="cpu", half=True)
    rows = embed_pictures(built.files, encoder=half)
    assert cosines(rows, embed_pictures(built.files, encoder=built.encoder)).min() >= 0.999


def test_a_setting_of_the_family_changes_the_fingerprint(built: Built, tmp_path: Path) -> None:
    config = json.loads((built.directory / "config.json").read_text())
    changed = {
        "tipsv2": ("text_config", "pooling_epsilon", 0.1),
        "aimv2": ("vision_config", "rms_norm_eps", 0.1),
        "align": ("vision_config", "pooling_type", "max"),
        "embedding_gemma2": ("text_config", "sliding_window", 31),
    }.get(config["model_type"])
    if changed is None:  # those of all models are in test_torch_encoder
        assert built.encoder.adapter.family.settings == ()
        return
    tower, key, value = changed
    copy = Path(shutil.copytree(built.directory, tmp_path / "copy"))
    write_json(copy / "config.json", {**config, tower: {**config[tower], key: value}})
    assert TransformersEncoder.load(copy, device="cpu").fingerprint != built.encoder.fingerprint


def test_a_trace_ends_in_what_the_model_gives(built: Built) -> None:
    crop = picture_crop(built.files[3], built.encoder.preprocess)
    shown = walk(built.encoder, TEXTS, crop)
    assert np.array_equal(shown.text_embedding, built.encoder.encode_texts(TEXTS[:1])[0])
    assert np.array_equal(shown.image_embedding, built.encoder.encode_images(crop[None])[0])
    stages = {stage.name: stage for stage in shown.image_stages}
    assert stages["pixel values"].shape == (1, *built.image_inputs["pixel_values"].shape[1:])
    model_type = built.model.config.model_type
    if model_type == "siglip2":
        assert stages["patch projection"].shape == (1, tiny_families.NAFLEX_PATCHES, 32)
        assert "position embedding" in stages
    elif model_type == "metaclip_2":
        assert "each token sees those before it" in " ".join(stage.note for stage in shown.text_stages)


@pytest.fixture(scope="module")
def tipsv2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_families.make_tipsv2(tmp_path_factory.mktemp("tipsv2"))


@pytest.fixture(scope="module")
def compiled_tipsv2(tipsv2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("compiled")
    compile_quietly(tipsv2, target)
    return target


def test_patches_aligned_with_words_are_those_of_the_model(tipsv2: Path, compiled_tipsv2: Path, tmp_path: Path) -> None:
    encoder = TransformersEncoder.load(tipsv2, device="cpu")
    crops = np.stack([picture_crop(path, encoder.preprocess) for path in save_pictures(tmp_path)])
    model = AutoModel.from_pretrained(tipsv2).eval()
    pixel_values = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        tokens = model.vision_model(pixel_values=pixel_values).last_hidden_state
    # after the class token and one register token
    expected = torch.nn.functional.normalize(tokens[:, 2:], dim=-1).numpy().reshape(4, 4, 4, -1)
    assert encoder.patch_grid == (4, 4)
    np.testing.assert_allclose(encoder.encode_patches(crops), expected, atol=1e-5)
    compiled = CompiledEncoder(compiled_tipsv2, name="compiled", cache_blobs=False)
    assert (compiled.encode_patches(crops) * expected).sum(axis=-1).min() > 0.995
    assert compiled.encode_patches(crops[:0]).shape == (0, 4, 4, encoder.dim)


def test_one_pass_makes_a_heat_map_where_patches_are_aligned(tipsv2: Path, tmp_path: Path) -> None:
    encoder = TransformersEncoder.load(tipsv2, device="cpu")
    picture = save_pictures(tmp_path)[0]
    text = encoder.encode_texts(["a dog"])[0]
    calls: list[int] = []
    encode_images = encoder.encode_images
    encoder.encode_images = lambda crops: (calls.append(len(crops)), encode_images(crops))[1]  # type: ignore[method-assign]
    heat_map = make_heat_map(picture, "a dog", text, encoder=encoder)
    assert calls == [1]
    cosine = encoder.encode_patches(picture_crop(picture, encoder.preprocess)[None])[0] @ text
    expected = [
        [cosine[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].mean() for column in range(4)]
        for row in range(4)
    ]
    np.testing.assert_allclose(heat_map.scores, expected, atol=1e-6)
    assert heat_map.score == pytest.approx(float(embed_pictures([picture], encoder=encoder)[0] @ text), abs=1e-6)


def test_other_families_have_no_patches_of_words(built: Built) -> None:
    is_aligned = built.directory.joinpath("config.json").read_text().count('"tipsv2"') > 0
    for encoder in (built.encoder, built.compiled):
        assert (with_patches(encoder) is not None) == is_aligned
        if not is_aligned:
            with pytest.raises(ModelError, match="not aligned with texts"):
                encoder.encode_patches(np.zeros((1, 8, 8, 3), np.uint8))


def test_heat_maps_with_windows_work_for_patches_of_any_shape(tmp_path: Path) -> None:
    encoder = TransformersEncoder.load(tiny_families.make_naflex(tmp_path / "model"), device="cpu")
    picture = save_pictures(tmp_path)[3]
    heat_map = make_heat_map(picture, "a dog", encoder.encode_texts(["a dog"])[0], encoder=encoder)
    assert heat_map.scores.shape == (8, 16)
    assert np.unique(heat_map.scores).size > 10


@pytest.mark.parametrize(("make", "licence"), [("make_metaclip_2", "CC-BY-NC"), ("make_aimv2", "AMLR")])
def test_a_licence_for_no_commercial_use_is_said_once_and_not_with_each_query(
    make: str, licence: str, tmp_path: Path
) -> None:
    directory = getattr(tiny_families, make)(tmp_path / make)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ClipSearchNotice)
        load.load_encoder(ModelOptions(str(directory), runtime="torch")).close()
    with pytest.warns(ClipSearchNotice, match=licence) as caught:
        load.notify_licence(str(directory))
        load.notify_licence(str(directory))
    assert len([warning for warning in caught if licence in str(warning.message)]) == 1


def test_other_licences_are_not_said(tipsv2: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ClipSearchNotice)
        for name in (str(tipsv2), "starter", str(tmp_path / "missing"), "nobody/nothing"):
            load.notify_licence(name)


def test_indexing_says_the_licence(tmp_path: Path) -> None:
    directory = tiny_families.make_metaclip_2(tmp_path / "model")
    (tmp_path / "photos").mkdir()
    save_pictures(tmp_path / "photos")
    with Catalog.open(tmp_path / "catalog", model=str(directory), runtime="torch", create=True) as catalog:
        with pytest.warns(ClipSearchNotice, match="CC-BY-NC"):
            catalog.index(tmp_path / "photos")
        with warnings.catch_warnings():
            warnings.simplefilter("error", ClipSearchNotice)
            catalog.search("a dog")


def test_a_model_with_which_openvino_crashes_is_compiled_in_float32(
    tipsv2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "cache"))
    calls: list[list[str]] = []

    def run(arguments: list[str], **environment: str) -> types.SimpleNamespace:
        calls.append(arguments[2:])
        if len(calls) == 1:
            return types.SimpleNamespace(returncode=-signal.SIGFPE, stderr="")
        from clipsearch.encoders.openvino.compile import compile_model

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile_model(Path(calls[1][0]), Path(calls[1][1]), ["f32"])
        return types.SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(compile_cache, "run_python", run)
    compiled = compile_cache.make_compiled(tipsv2)
    assert [call[2:] for call in calls] == [[], ["f32"]]
    assert read_spec(compiled).precision == "f32"


def test_pictures_of_another_kind_of_resolution_are_refused(tmp_path: Path) -> None:
    naflex = tiny_families.make_naflex(tmp_path / "naflex")
    metaclip = tiny_families.make_metaclip_2(tmp_path / "metaclip")
    for source, target, message in ((naflex, metaclip, "fixed resolution, its"), (metaclip, naflex, "variable")):
        mixed = Path(shutil.copytree(target, tmp_path / f"mixed-{target.name}"))
        shutil.copy(source / "preprocessor_config.json", mixed)
        with pytest.raises(ModelError, match=message):
            TransformersEncoder.load(mixed)


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_families.make_embedding_gemma_2(tmp_path_factory.mktemp("gemma"))


def test_a_prompt_counts_as_tokens_and_for_the_fingerprint(gemma: Path, tmp_path: Path) -> None:
    with_prompt = TransformersEncoder.load(gemma, device="cpu")
    copy = Path(shutil.copytree(gemma, tmp_path / "copy"))
    (copy / "config_sentence_transformers.json").unlink()
    without = TransformersEncoder.load(copy, device="cpu")
    assert (with_prompt.prompt, without.prompt) == ("the photo of ", "")
    assert with_prompt.fingerprint != without.fingerprint
    assert compile_cache.source_key(gemma) != compile_cache.source_key(copy)
    assert with_prompt.count_tokens("a dog") == without.count_tokens("a dog") + 3 == 7
    assert with_prompt.tokenize("a dog") == without.tokenize("the photo of a dog")
    np.testing.assert_allclose(
        with_prompt.encode_texts(["a dog"]), without.encode_texts(["the photo of a dog"]), atol=1e-6
    )


def test_every_part_of_a_long_text_gets_the_prompt(gemma: Path) -> None:
    encoder = TransformersEncoder.load(gemma, device="cpu")
    with pytest.warns(ClipSearchNotice, match="longer than the model's 16 tokens"):
        long = encoder.encode_texts(["dog cat " * 10])[0]
    # 11 words beside the prompt's three, start and end
    parts = encoder.encode_texts(["dog cat " * 5 + "dog", "cat " + "dog cat " * 4])
    mean = parts.mean(axis=0)
    np.testing.assert_allclose(long, mean / np.linalg.norm(mean), atol=1e-5)


@pytest.mark.parametrize("prompts", [{"SearchQuery": 7}, {"SearchQuery": "x" * 1000}])
def test_a_prompt_that_is_no_short_text_is_refused(prompts: dict[str, object], gemma: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(gemma, tmp_path / "copy"))
    write_json(copy / "config_sentence_transformers.json", {"prompts": prompts})
    with pytest.raises(ModelError, match="not a short text"):
        TransformersEncoder.load(copy)


def test_prompts_of_other_families_are_not_read(tmp_path: Path) -> None:
    directory = tiny_families.make_metaclip_2(tmp_path)
    before = TransformersEncoder.load(directory).fingerprint, compile_cache.source_key(directory)
    write_json(directory / "config_sentence_transformers.json", {"prompts": {"query": "the photo of "}})
    assert (TransformersEncoder.load(directory).fingerprint, compile_cache.source_key(directory)) == before


def test_a_tokenizer_without_tokens_for_pictures_is_refused(gemma: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(gemma, tmp_path / "copy"))
    config = json.loads((copy / "config.json").read_text())
    write_json(copy / "config.json", {**config, "image_token_id": 63})
    with pytest.raises(ModelError, match="does not know the model's tokens of pictures"):
        TransformersEncoder.load(copy)


def test_patches_of_another_size_are_refused(tmp_path: Path) -> None:
    from tests.encoders.test_torch_encoder import edit

    directory = tiny_families.make_naflex(tmp_path)
    edit(directory / "preprocessor_config.json", patch_size=16)
    with pytest.raises(ModelError, match="patches of 16 pixels, the model takes 8"):
        TransformersEncoder.load(directory)


def test_a_temperature_that_is_not_positive_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = tiny_families.make_align(tmp_path) / "model.safetensors"
    save_file({**load_file(weights), "temperature": torch.tensor(0.0)}, weights, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"temperature is 0\.0"):
        TransformersEncoder.load(tmp_path)
