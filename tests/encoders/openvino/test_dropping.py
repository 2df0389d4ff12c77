"""A model that is dropped right after its last picture lets the process go on."""

import subprocess
import sys

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
