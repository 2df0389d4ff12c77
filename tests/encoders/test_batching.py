"""One encoder, many threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from clipsearch.encoders.batching import SharedEncoder
from clipsearch.errors import QueryError
from tests.support.fakes import ColourEncoder

WORDS = ["red", "green", "blue", "yellow", "black", "white"]


class SlowEncoder(ColourEncoder):
    """Waits for `gate` the first time, and remembers what came together."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.texts_seen: list[list[str]] = []

    def encode_texts(self, texts):
        self.texts_seen.append(list(texts))
        assert self.gate.wait(10)
        if "bad" in texts:
            raise QueryError("bad")
        return super().encode_texts(texts)


def ask_together(encoder: SharedEncoder, slow: SlowEncoder, texts: list[str]) -> list[object]:
    """Asks for the first text, then for the others while the model is busy with it."""
    with ThreadPoolExecutor(len(texts)) as pool:
        asked = [pool.submit(encoder.encode_texts, [texts[0]])]
        while not slow.texts_seen:
            time.sleep(0.001)
        asked += [pool.submit(encoder.encode_texts, [text]) for text in texts[1:]]
        while len(encoder._texts._waiting) < len(texts) - 1:
            time.sleep(0.001)
        slow.gate.set()
        return [each.exception() or each.result() for each in asked]


def test_texts_that_come_while_the_model_is_busy_go_through_it_together():
    slow = SlowEncoder()
    encoder = SharedEncoder(slow)
    rows = ask_together(encoder, slow, WORDS)
    assert [len(texts) for texts in slow.texts_seen] == [1, 5]
    assert encoder.calls == 2
    assert np.array_equal(np.concatenate(rows), ColourEncoder().encode_texts(WORDS))


def test_an_error_goes_to_the_one_whose_text_it_was():
    slow = SlowEncoder()
    first, *others = ask_together(SharedEncoder(slow), slow, ["red", "green", "bad", "blue"])
    assert isinstance(others[1], QueryError)
    expected = ColourEncoder().encode_texts(["red", "green", "blue"])
    assert np.array_equal(np.concatenate([first, others[0], others[2]]), expected)


def test_it_is_the_encoder_in_everything_else():
    inner = ColourEncoder()
    encoder = SharedEncoder(inner)
    crops = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)
    assert np.array_equal(encoder.encode_images(crops), inner.encode_images(crops))
    assert encoder.encode_images(crops[:0]).shape == (0, 4)
    assert encoder.encode_texts([]).shape == (0, 4)
    assert (encoder.name, encoder.dim, encoder.batch_size) == (inner.name, inner.dim, inner.batch_size)
    assert encoder.count_tokens("a red car") == 3
    assert encoder.images_seen == inner.images_seen
    with pytest.raises(AttributeError):
        _ = encoder.model


def test_many_threads_get_their_own_rows_from_the_starter():
    from clipsearch.encoders.load import load_encoder

    alone = load_encoder("starter")
    encoder = SharedEncoder(load_encoder("starter"))
    texts = [f"{word} {thing}" for word in WORDS for thing in ("car", "house", "bird with a hat")]
    crops = np.random.default_rng(1).integers(0, 256, (len(texts), 260, 260, 3)).astype(np.uint8)
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(encoder.encode_texts, [text]) for text in texts]
        seen = [pool.submit(encoder.encode_images, crops[row : row + 1]) for row in range(len(texts))]
        text_rows = np.concatenate([each.result() for each in asked])
        image_rows = np.concatenate([each.result() for each in seen])
    # A batch is padded to its longest text, which moves the last bits.
    assert (text_rows * alone.encode_texts(texts)).sum(axis=1).min() > 0.9999
    assert (image_rows * alone.encode_images(crops)).sum(axis=1).min() > 0.9999
