"""What a compiled model says of itself, when it was damaged."""

import json
import os

import pytest

from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.errors import ModelError


@pytest.mark.parametrize(
    "change",
    [
        {"dim": -1},
        {"dim": "24"},
        {"dim": True},
        {"context_length": 2},
        {"pad_id": None},
        {"preprocess": []},
        {"head": {"kind": "softmax", "logit_scale": 10**400}},
        {"takes_crops": "yes"},
        {"files": []},
        {"files": {}},
        {"files": {"../model.json": "0" * 64}},
    ],
    ids=str,
)
def test_a_description_that_makes_no_sense_is_refused(compiled_copy, change):
    spec = compiled_copy / "model.json"
    spec.write_text(json.dumps(json.loads(spec.read_text()) | change))
    with pytest.raises(ModelError) as caught:
        CompiledEncoder(compiled_copy, name="odd")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.json", "tokenizer.json"])
def test_a_pipe_in_the_place_of_a_file_is_refused(compiled_copy, name):
    (compiled_copy / name).unlink()
    os.mkfifo(compiled_copy / name)
    with pytest.raises(ModelError):
        CompiledEncoder(compiled_copy, name="odd")


def test_a_description_that_is_no_json_is_refused(compiled_copy):
    (compiled_copy / "model.json").write_text("[" * 100_000)
    with pytest.raises(ModelError, match="no compiled model directory"):
        CompiledEncoder(compiled_copy, name="odd")
