"""Encoders of every kind: closed, they say so; where the model holds the last reference, it goes with it."""

import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clipsearch.encoders.base import Encoder
from clipsearch.encoders.batching import SharedEncoder
from clipsearch.encoders.gpu_offload import BATCH, AcceleratedEncoder
from clipsearch.encoders.load import load_encoder
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.encoders.torch_encoder import TransformersEncoder
from clipsearch.errors import ModelError
from clipsearch.types import ModelOptions
from tests.support.fakes import ColourEncoder
from tests.support.tiny_clips import TinyClips


@pytest.fixture(scope="module")
def hub_clip(tiny_clips: TinyClips) -> Path:
    return tiny_clips.find_source()


KINDS: dict[str, Callable[[Path, Path], Encoder]] = {
    "compiled": lambda compiled, hub: CompiledEncoder(compiled, name="tiny"),
    "torch": lambda compiled, hub: TransformersEncoder.load(hub, name="tiny", device="cpu"),
    "shared": lambda compiled, hub: SharedEncoder(CompiledEncoder(compiled, name="tiny")),
    "accelerated": lambda compiled, hub: AcceleratedEncoder(
        CompiledEncoder(compiled, name="tiny"),
        load_accelerated=lambda: TransformersEncoder.load(hub, name="tiny", device="cpu"),
    ),
}


def crops_for(encoder: Encoder, count: int = 1) -> np.ndarray:
    return np.zeros((count, encoder.preprocess.height, encoder.preprocess.width, 3), dtype=np.uint8)


@pytest.mark.parametrize("was_used", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_encoder_says_so(kind, was_used, compiled_clip, hub_clip):
    encoder = KINDS[kind](compiled_clip, hub_clip)
    if was_used:
        encoder.encode_images(crops_for(encoder, BATCH if kind == "accelerated" else 1))
        encoder.encode_texts(["a"])
    encoder.close()
    encoder.close()
    for question in (
        lambda: encoder.encode_images(crops_for(encoder, BATCH)),
        lambda: encoder.encode_texts(["a"]),
        lambda: encoder.count_tokens("a"),
    ):
        with pytest.raises(ModelError, match="the model tiny is closed"):
            question()


@pytest.mark.parametrize("name", ["starter", "compiled", "hub"])
def test_an_encoder_that_nobody_has_any_more_is_gone_at_once(name, compiled_clip, hub_clip):
    place = {"starter": "starter", "compiled": str(compiled_clip), "hub": str(hub_clip)}[name]
    encoder = load_encoder(ModelOptions(place, runtime="torch" if name == "hub" else None))
    encoder.encode_images(crops_for(encoder, 9))
    encoder.encode_texts(["a", "b"])
    with pytest.raises((ModelError, ValueError)):
        encoder.encode_images(np.zeros((1, 2, 2, 3), dtype=np.uint8))
    gone = weakref.ref(encoder)
    del encoder
    assert gone() is None


def test_an_accelerated_model_that_is_being_loaded_when_all_is_closed_is_closed_too():
    is_loading, may_go_on = threading.Event(), threading.Event()
    accelerated = ColourEncoder()

    def load_slowly() -> Encoder:
        is_loading.set()
        assert may_go_on.wait(30)
        return accelerated

    encoder = AcceleratedEncoder(ColourEncoder(), load_accelerated=load_slowly)
    thread = threading.Thread(target=encoder.encode_images, args=(crops_for(encoder, BATCH),))
    thread.start()
    assert is_loading.wait(30)
    encoder.close()
    may_go_on.set()
    thread.join(30)
    assert accelerated.is_closed
