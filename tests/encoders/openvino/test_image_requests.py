"""Requests of the image model: dropped right after the last picture, and after a batch that failed."""

import subprocess
import sys

import numpy as np
import pytest

from clipsearch import ModelError
from clipsearch.encoders.openvino.encoder import CompiledEncoder

DROP = """
import sys
from pathlib import Path
import numpy as np
from clipsearch.encoders.openvino.encoder import CompiledEncoder
for _ in range(40):
    encoder = CompiledEncoder(Path(sys.argv[1]), name="tiny")
    side = encoder.preprocess.height
    assert encoder.encode_images(np.zeros((100, side, side, 3), np.uint8)).shape == (100, encoder.dim)
    del encoder
print("done")
"""


def test_a_model_is_dropped_at_once(compiled_clip):
    done = subprocess.run(
        [sys.executable, "-c", DROP, str(compiled_clip)], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "done\n"


@pytest.mark.parametrize("count", [1, 8, 100])
def test_a_failed_batch_leaves_the_model_as_it_was(count, compiled_clip):
    """Several requests fail where several were running, each again when it is waited for once more."""
    encoder = CompiledEncoder(compiled_clip, name="tiny")
    side = encoder.preprocess.height
    good = np.random.default_rng(0).integers(0, 256, (20, side, side, 3), np.uint8)
    rows = encoder.encode_images(good)
    with pytest.raises(ModelError, match="image model of tiny failed") as raised:
        encoder.encode_images(np.zeros((count, 3, 3, 3), np.uint8))
    cause = raised.value.__cause__
    assert cause is not None
    assert cause.__context__ is None  # its frames would keep the model
    np.testing.assert_array_equal(encoder.encode_images(good), rows)


@pytest.mark.parametrize("count", [0, 1, 8, 21])
def test_crops_that_lie_apart_are_encoded_as_an_array_is(count, compiled_clip):
    encoder = CompiledEncoder(compiled_clip, name="tiny")
    side = encoder.preprocess.height
    spread = np.random.default_rng(0).integers(0, 256, (count, 3, side, side, 3), np.uint8)
    rows = encoder.encode_images(spread[:, 1].copy())
    assert rows.shape == (count, encoder.dim)
    np.testing.assert_array_equal(encoder.encode_images(list(spread[:, 1])), rows)
