"""Thread-safe encoder with dynamic batching: concurrent requests go through the model together."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import Crops, Encoder
from clipsearch.notices import are_muted, muted

Inputs = TypeVar("Inputs")

# Largest batch of joined text requests: larger ones raise latency without more throughput.
_MOST_TEXTS = 64


class SharedEncoder:
    """Thread-safe `Encoder` that batches concurrent requests.

    A request never waits for a batch to fill: the thread that gets the model takes all requests that queued while it
    was busy. Texts and pictures have separate queues and do not wait for each other.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint
        self.dim = encoder.dim
        self.context_length = encoder.context_length
        self.preprocess = encoder.preprocess
        self.head = encoder.head
        self.batch_size = encoder.batch_size
        self._encoder = encoder
        self._texts: _Batcher[Sequence[str]] = _Batcher(
            encoder.encode_texts, lambda parts: [text for part in parts for text in part], most_rows=lambda: _MOST_TEXTS
        )
        self._images: _Batcher[Crops] = _Batcher(
            encoder.encode_images, _join_crops, most_rows=lambda: encoder.batch_size
        )

    @property
    def calls(self) -> int:
        """Number of times the model was run; fewer than the requests when some were batched."""
        return self._texts.calls + self._images.calls

    @property
    def inputs(self) -> int:
        """Number of texts and pictures that the model was run for."""
        return self._texts.inputs + self._images.inputs

    def encode_images(self, crops: Crops) -> NDArray[np.float32]:
        rows = self._images.encode(crops)
        self.batch_size = self._encoder.batch_size  # changes when a GPU takes over
        return rows

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._texts.encode(texts)

    def count_tokens(self, text: str) -> int:
        return self._encoder.count_tokens(text)

    def close(self) -> None:
        self._encoder.close()

    def __getattr__(self, name: str) -> Any:
        # Delegate attributes that only some encoders have.
        return getattr(self._encoder, name)


def _join_crops(parts: Sequence[Crops]) -> Crops:
    return parts[0] if len(parts) == 1 else [crop for part in parts for crop in part]


@dataclass(slots=True, eq=False)
class _Request(Generic[Inputs]):
    inputs: Inputs
    n_rows: int
    is_muted: bool = field(default_factory=are_muted)
    rows: NDArray[np.float32] | None = None
    error: Exception | None = None
    is_done: bool = field(default=False)


class _Batcher(Generic[Inputs]):
    def __init__(
        self,
        encode: Callable[[Inputs], NDArray[np.float32]],
        join: Callable[[Sequence[Inputs]], Inputs],
        *,
        most_rows: Callable[[], int],
    ) -> None:
        """Create an empty queue.

        Args:
            encode: runs the model.
            join: concatenates the inputs of several requests.
            most_rows: returns the upper limit of the rows of a batch; a larger request runs alone.
        """
        self.calls = self.inputs = 0
        self._encode = encode
        self._join = join
        self._most_rows = most_rows
        self._waiting: deque[_Request[Inputs]] = deque()
        self._waiting_lock = threading.Lock()
        self._model_lock = threading.Lock()

    def encode(self, inputs: Inputs) -> NDArray[np.float32]:
        request = _Request(inputs, len(inputs))  # type: ignore[arg-type]
        with self._waiting_lock:
            self._waiting.append(request)
        while not request.is_done:
            with self._model_lock:
                if not request.is_done:
                    self._run(self._take())
        if request.rows is None:
            raise request.error or RuntimeError("a request is done without rows")
        return request.rows

    def _take(self) -> list[_Request[Inputs]]:
        """Dequeue the first requests, up to the limit of rows."""
        with self._waiting_lock:
            batch = [self._waiting.popleft()]
            room = self._most_rows() - batch[0].n_rows
            while self._waiting and self._waiting[0].n_rows <= room and self._waiting[0].is_muted == batch[0].is_muted:
                batch.append(self._waiting.popleft())
                room -= batch[-1].n_rows
            return batch

    def _run(self, requests: list[_Request[Inputs]]) -> None:
        try:
            self.calls += 1
            self.inputs += sum(request.n_rows for request in requests)
            with muted(requests[0].is_muted):  # the caller's setting, whose thread may be another one
                rows = self._encode(self._join([request.inputs for request in requests]))
        except Exception as error:  # noqa: BLE001
            if len(requests) > 1:  # retry one by one, so that the error reaches only the request that caused it
                for request in requests:
                    self._run([request])
                return
            requests[0].error = error
        except BaseException:  # Ctrl-C interrupts this thread only: requeue the requests of the others
            with self._waiting_lock:
                self._waiting.extendleft(reversed(requests))
            raise
        else:
            start = 0
            for request in requests:
                request.rows = rows[start : start + request.n_rows]
                start += request.n_rows
        for request in requests:
            request.is_done = True
