"""The baseline of the benchmarks embeds the same pictures to the same rows."""

import numpy as np
import pytest

from clipsearch.encoders.embed_image import picture_crop
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.encoders.plain_loop import PlainLoop
from clipsearch.errors import ModelError
from clipsearch.paths import sample_data_folder


def test_rows_are_those_of_the_encoder(tiny_clips, compiled_clip):
    paths = sorted((sample_data_folder() / "animals").glob("*.jpg"))
    encoder = CompiledEncoder(compiled_clip, name="tiny")
    rows = encoder.encode_images(np.stack([picture_crop(path, encoder.preprocess) for path in paths]))
    looped = PlainLoop(str(tiny_clips.find_source())).embed(paths)
    assert looped.shape == rows.shape
    # A tiny model sees 32 pixels, where decoding at a reduced size shows: the median.
    assert np.median((looped * rows).sum(axis=1)) > 0.999


def test_a_compiled_model_has_none(compiled_clip):
    for name in ("starter", str(compiled_clip)):
        with pytest.raises(ModelError, match="has no files for transformers"):
            PlainLoop(name)
