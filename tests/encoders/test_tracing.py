"""What is shown is what happens: the stages end in the numbers the model itself gives."""

from pathlib import Path

import numpy as np
import pytest
import torch

from clipsearch.encoders.torch_encoder import TransformersEncoder
from clipsearch.encoders.tracing import Walkthrough, walk, walk_any, walk_modules
from clipsearch.errors import QueryError
from tests.support import tiny_models
from tests.support.tiny_models import CONTEXT_LENGTH, IMAGE_SIZE

TEXTS = ["a red cat", "dog", "two horses"]


@pytest.fixture(scope="module", params=[None, 2], ids=["end token by id", "end token by rank"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TransformersEncoder:
    directory = tiny_models.make_clip(tmp_path_factory.mktemp("clip"), eos_token_id=request.param)
    return TransformersEncoder.load(directory, name="tiny", device="cpu")


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> TransformersEncoder:
    return TransformersEncoder.load(tiny_models.make_siglip(tmp_path_factory.mktemp("siglip")), device="cpu")


@pytest.fixture
def crop() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)


def test_the_stages_end_in_what_the_model_gives(clip: TransformersEncoder, crop: np.ndarray) -> None:
    shown = walk_modules(clip, TEXTS, crop)
    # Not merely close: the same modules on the same input in the same order.
    assert np.array_equal(shown.text_embedding, clip.encode_texts(TEXTS[:1])[0])
    assert np.array_equal(shown.image_embedding, clip.encode_images(crop[None])[0])


def test_the_projections_are_the_models_features(clip: TransformersEncoder, crop: np.ndarray) -> None:
    shown = walk_modules(clip, TEXTS, crop)
    with torch.inference_mode():
        text_features = clip.model.get_text_features(**clip.inputs_of(TEXTS[:1])).pooler_output
    projection = next(stage for stage in shown.text_stages if stage.name == "projection")
    assert projection.values == tuple(text_features[0, :4].tolist())


def test_every_stage_has_its_shape(clip: TransformersEncoder, crop: np.ndarray) -> None:
    shown = walk_modules(clip, TEXTS, crop)
    n = len(clip.tokenize(TEXTS[0]))
    assert [(stage.name, stage.shape) for stage in shown.text_stages] == [
        ("token ids", (1, n)),
        ("token + position embedding", (1, n, 32)),
        ("2 encoder layers", (1, n, 32)),
        ("final layer norm", (1, n, 32)),
        ("pooling", (1, 32)),
        ("projection", (1, 24)),
        ("L2 norm", (1, 24)),
    ]
    assert shown.text_stages[0].values == tuple(clip.tokenize(TEXTS[0]))
    assert [(stage.name, stage.shape) for stage in shown.image_stages] == [
        ("pixel values", (1, 3, 32, 32)),
        ("patch convolution", (1, 32, 4, 4)),
        ("patches in a row", (1, 16, 32)),
        ("class token + position embedding", (1, 17, 32)),
        ("pre layer norm", (1, 17, 32)),
        ("2 encoder layers", (1, 17, 32)),
        ("pooling, post layer norm", (1, 32)),
        ("projection", (1, 24)),
        ("L2 norm", (1, 24)),
    ]


def test_probabilities_are_the_models_own(clip: TransformersEncoder, crop: np.ndarray) -> None:
    shown = walk_modules(clip, TEXTS, crop)
    inputs = clip.inputs_of(TEXTS)
    from clipsearch.images.preprocess import to_pixel_values

    with torch.inference_mode():
        output = clip.model(**inputs, pixel_values=torch.from_numpy(to_pixel_values(crop[None], clip.preprocess)))
    expected = output.logits_per_image.softmax(dim=-1)[0].tolist()
    assert [candidate.text for candidate in shown.candidates] == TEXTS
    assert [candidate.probability for candidate in shown.candidates] == pytest.approx(expected, abs=1e-5)
    assert [candidate.logit for candidate in shown.candidates] == pytest.approx(
        output.logits_per_image[0].tolist(), abs=1e-4
    )


MAKERS = {
    "siglip": tiny_models.make_siglip,
    "chinese": tiny_models.make_chinese_clip,
    "altclip": tiny_models.make_altclip,
}


@pytest.mark.parametrize("family", list(MAKERS))
def test_other_families_end_in_what_the_model_gives(family: str, tmp_path: Path, crop: np.ndarray) -> None:
    encoder = TransformersEncoder.load(MAKERS[family](tmp_path), name="tiny", device="cpu")
    shown = walk(encoder, TEXTS, crop)
    assert np.array_equal(shown.text_embedding, encoder.encode_texts(TEXTS[:1])[0])
    assert np.array_equal(shown.image_embedding, encoder.encode_images(crop[None])[0])
    n = len(encoder.tokenize(TEXTS[0]))
    dim = encoder.dim
    norm = {"siglip": ["final layer norm"], "chinese": [], "altclip": ["final layer norm", "transformation"]}[family]
    assert [(stage.name, stage.shape) for stage in shown.text_stages] == [
        ("token ids", (1, n)),
        ("token + position embedding", (1, n, 32)),
        ("2 encoder layers", (1, n, 32)),
        *((name, (1, n, 24 if name == "transformation" else 32)) for name in norm),
        ("pooling", (1, 24 if family == "altclip" else 32)),
        ("projection", (1, dim)),
        ("L2 norm", (1, dim)),
    ]
    number = CONTEXT_LENGTH - 1 if family == "siglip" else 0
    assert f"number {number}," in next(stage.note for stage in shown.text_stages if stage.name == "pooling")
    assert [stage.name for stage in shown.image_stages[:3]] == ["pixel values", "patch convolution", "patches in a row"]
    if family == "siglip":
        expected = [
            ("position embedding", (1, 16, 32)),
            ("2 encoder layers", (1, 16, 32)),
            ("post layer norm", (1, 16, 32)),
            ("attention pooling", (1, 32)),
            ("L2 norm", (1, 32)),
        ]
    else:
        expected = [
            ("class token + position embedding", (1, 17, 32)),
            ("pre layer norm", (1, 17, 32)),
            ("2 encoder layers", (1, 17, 32)),
            ("pooling, post layer norm", (1, 32)),
            ("projection", (1, 24)),
            ("L2 norm", (1, 24)),
        ]
    assert [(stage.name, stage.shape) for stage in shown.image_stages[3:]] == expected


def test_no_hook_is_left_in_the_model(clip: TransformersEncoder, crop: np.ndarray) -> None:
    walk(clip, TEXTS, crop)
    assert not any(module._forward_hooks for module in clip.model.modules())


def test_a_sigmoid_head_gives_the_models_own_probabilities(siglip: TransformersEncoder, crop: np.ndarray) -> None:
    shown = walk(siglip, TEXTS, crop)
    inputs = siglip.inputs_of(TEXTS)
    from clipsearch.images.preprocess import to_pixel_values

    with torch.inference_mode():
        output = siglip.model(**inputs, pixel_values=torch.from_numpy(to_pixel_values(crop[None], siglip.preprocess)))
    expected = output.logits_per_image.sigmoid()[0].tolist()
    assert [candidate.probability for candidate in shown.candidates] == pytest.approx(expected, abs=1e-5)


def test_walk_takes_the_closest_look(clip: TransformersEncoder, crop: np.ndarray) -> None:
    assert summary(walk(clip, TEXTS, crop)) == summary(walk_modules(clip, TEXTS, crop))
    assert len(walk_any(clip, TEXTS, crop).text_stages) == 2


def test_one_text_alone_is_certain(clip: TransformersEncoder, crop: np.ndarray) -> None:
    assert walk(clip, TEXTS[:1], crop).candidates[0].probability == 1.0


@pytest.mark.parametrize("texts", [[], ["a text that is longer than the context"]])
def test_what_can_not_be_followed_is_refused(texts: list[str], clip: TransformersEncoder, crop: np.ndarray) -> None:
    for follow in (walk_modules, walk_any):
        with pytest.raises(QueryError):
            follow(clip, texts, crop)


def summary(shown: Walkthrough) -> object:
    return shown.text_stages, shown.image_stages, shown.candidates


def test_the_outline_loads_no_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "import sys, clipsearch.encoders.tracing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
