"""Stand-ins that really compute: an encoder of colours, and a worker pool that decodes in this process."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from clipsearch.encoders.base import Crops, ProbabilityHead
from clipsearch.images.decode import DecodingLimits
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.reading import OpenList, OpenPicture, open_list, open_picture
from clipsearch.notices import notify
from clipsearch.types import ModelOptions
from clipsearch.vectors import normalise

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}


class ColourEncoder:
    """Encode a picture as its mean colour, a text as the colours it names, else as any colour.

    Four numbers a row: red, green, blue, and a constant so that black has a direction too.
    """

    dim = 4
    context_length = 12
    batch_size = 32
    preprocess = Preprocess(8, 8, 8, 2, 1 / 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    head = ProbabilityHead("softmax", 30.0)

    def __init__(self, name: str = "colours") -> None:
        self.name = name
        self.fingerprint = blake3(name.encode()).hexdigest()
        self.images_seen = 0
        self.batches: list[int] = []
        self.is_closed = False

    def encode_images(self, crops: Crops) -> NDArray[np.float32]:
        self.images_seen += len(crops)
        self.batches.append(len(crops))
        return self._rows(np.array([crop.mean(axis=(0, 1)) for crop in crops]).reshape(-1, 3))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = []
        for text in texts:
            words = text.lower().replace(",", " ").split()
            if len(words) > self.context_length:
                notify("1 text was longer")
            named = [COLOURS[word] for word in words if word in COLOURS] or [tuple(blake3(text.encode()).digest()[:3])]
            rows.append(np.mean(named, axis=0))
        return self._rows(np.array(rows, dtype=np.float64).reshape(-1, 3))

    def count_tokens(self, text: str) -> int:
        return len(text.replace(",", " ").split())

    def close(self) -> None:
        self.is_closed = True

    @staticmethod
    def _rows(colours: NDArray[np.float64]) -> NDArray[np.float32]:
        centred = colours / 127.5 - 1
        rows = np.concatenate([centred, np.full((len(colours), 1), 0.1)], axis=1)
        return normalise(rows) if len(rows) else np.empty((0, 4), np.float32)


class LocalPool:
    """Open files as `WorkerPool` does, without its processes, which take longer to start than most tests."""

    def __init__(self, spec: Preprocess, *, limits: DecodingLimits, detail: bool = False) -> None:
        self._options = {"spec": spec, "max_megapixels": limits.max_megapixels, "detail": detail}

    @contextmanager
    def open_path(self, path: str) -> Iterator[OpenPicture]:
        with open_picture(path, **self._options) as picture:
            yield picture

    @contextmanager
    def open_list(self, paths: Sequence[str]) -> Iterator[OpenList]:
        with open_list(paths, **self._options) as opened:
            yield opened

    def rest(self) -> None:
        pass

    def close(self) -> None:
        pass


def use_colours(patch: Callable[[str, object], object]) -> None:
    """Load models of colours under any name that begins with "colours"; decode pictures in this process.

    Args:
        patch: replaces what a dotted name names.
    """
    from clipsearch.encoders.load import load_encoder

    def load_colours(model: str | ModelOptions) -> object:
        name = model if isinstance(model, str) else model.name or ""
        return ColourEncoder(name) if name.startswith("colours") else load_encoder(model)

    patch("clipsearch.encoders.load.load_encoder", load_colours)
    for module in ("images.worker_pool", "indexing.pipeline", "transfer.imports", "gallery.duplicates.views"):
        patch(f"clipsearch.{module}.WorkerPool", LocalPool)
