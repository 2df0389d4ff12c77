"""One encoder for many threads: what is asked for at the same time goes through the model together."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import Encoder
from clipsearch.notices import are_muted, muted

Inputs = TypeVar("Inputs")

# More texts at once are no faster each, and the first of them would wait for the last.
_MOST_TEXTS = 64


class SharedEncoder:
    """See `Encoder`. Nobody waits for company: whoever finds the model free takes along all who came while it was not.

    Texts and pictures do not wait for each other.
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
        self._images: _Batcher[NDArray[np.uint8]] = _Batcher(
            encoder.encode_images, lambda parts: np.concatenate(list(parts)), most_rows=lambda: encoder.batch_size
        )

    @property
    def calls(self) -> int:
        """How often the model was run; fewer than what it was asked for where that came together."""
        return self._texts.calls + self._images.calls

    @property
    def inputs(self) -> int:
        """Texts and pictures that it was run for."""
        return self._texts.inputs + self._images.inputs

    def encode_images(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = self._images.encode(crops)
        self.batch_size = self._encoder.batch_size  # another one when a GPU has taken over
        return rows

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._texts.encode(texts)

    def count_tokens(self, text: str) -> int:
        return self._encoder.count_tokens(text)

    def close(self) -> None:
        self._encoder.close()

    def __getattr__(self, name: str) -> Any:
        # What only some encoders have.
        return getattr(self._encoder, name)


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
        """`most_rows`: of requests that are joined; a larger one goes alone."""
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
        """The first ones that wait, as many as fit."""
        with self._waiting_lock:
            taken = [self._waiting.popleft()]
            room = self._most_rows() - taken[0].n_rows
            while self._waiting and self._waiting[0].n_rows <= room and self._waiting[0].is_muted == taken[0].is_muted:
                taken.append(self._waiting.popleft())
                room -= taken[-1].n_rows
            return taken

    def _run(self, requests: list[_Request[Inputs]]) -> None:
        try:
            self.calls += 1
            self.inputs += sum(request.n_rows for request in requests)
            with muted(requests[0].is_muted):  # as whoever asks has it, whose thread this may not be
                rows = self._encode(self._join([request.inputs for request in requests]))
        except Exception as error:
            if len(requests) > 1:  # whose fault it is shows when each goes alone
                for request in requests:
                    self._run([request])
                return
            requests[0].error = error
        except BaseException:  # Ctrl-C is for this thread: the others are still to be served
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
