"""Running models with OpenVINO: torch modules while caching, exported model folders while evaluating."""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

Floats = NDArray[np.float32]


def compile_module(module: nn.Module, size: int) -> ov.CompiledModel:
    """A torch module that takes (n, 3, size, size), in float32 whatever the processor would like better."""
    converted = ov.convert_model(module, example_input=torch.zeros(2, 3, size, size), input=[-1, 3, size, size])
    return ov.Core().compile_model(
        converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"}
    )


def run_batches(
    compiled: ov.CompiledModel,
    load: Callable[[int], Floats],
    count: int,
    sink: Callable[[int, Sequence[Floats]], None],
    *,
    batch: int = 16,
    workers: int = 3,
    progress: str | None = None,
) -> None:
    """Feeds load(0) … load(count - 1) through a model; sink(row, outputs) takes each batch from that row on."""
    queue = ov.AsyncInferQueue(compiled, 2)
    queue.set_callback(lambda request, row: sink(row, [tensor.data.copy() for tensor in request.output_tensors]))
    started = time.monotonic()
    starts = range(0, count, batch)
    ahead = 4  # batches decoded while others are computed
    with ThreadPoolExecutor(workers) as pool:
        pending: dict[int, list[Any]] = {}

        def submit(number: int) -> None:
            rows = range(starts[number], min(count, starts[number] + batch))
            pending[number] = [pool.submit(load, row) for row in rows]

        for number in range(min(ahead, len(starts))):
            submit(number)
        for number, row in enumerate(starts):
            pixel_values = np.stack([future.result() for future in pending.pop(number)])
            if number + ahead < len(starts):
                submit(number + ahead)
            queue.start_async({0: pixel_values}, row)
            if progress and number % 100 == 0:
                print(f"{progress}: {row}/{count} {time.monotonic() - started:.0f} s", flush=True)
    queue.wait_all()


class StarterModel:
    """An exported model folder."""

    def __init__(self, folder: Path, precision: str = "f32") -> None:
        self.spec = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        image, text = self.spec["image"], self.spec["text"]
        core, hint = ov.Core(), {"INFERENCE_PRECISION_HINT": precision}
        self.image_model = core.compile_model(folder / image["file"], "CPU", {**hint, "PERFORMANCE_HINT": "THROUGHPUT"})
        self.text_model = core.compile_model(folder / text["file"], "CPU", {**hint, "PERFORMANCE_HINT": "LATENCY"})
        self.tokenizer = Tokenizer.from_file(str(folder / text["tokenizer"]))
        self.tokenizer.enable_truncation(text["max_tokens"])
        self.tokenizer.enable_padding(pad_id=text["pad_id"], pad_token="[PAD]")

    def encode_texts(self, texts: Sequence[str], batch: int = 64) -> Floats:
        """(n, dim) unit-norm embeddings in the order of the texts."""
        embeddings = np.zeros((len(texts), self.spec["dim"]), np.float32)
        by_length = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        for start in range(0, len(by_length), batch):
            rows = by_length[start : start + batch]
            encodings = self.tokenizer.encode_batch([texts[row] for row in rows])
            inputs = {
                "input_ids": np.array([encoding.ids for encoding in encodings], np.int64),
                "attention_mask": np.array([encoding.attention_mask for encoding in encodings], np.int64),
            }
            embeddings[rows] = self.text_model(inputs)[0]
        return embeddings

    def encode_pictures(self, load: Callable[[int], Floats], count: int) -> Floats:
        """(count, dim) unit-norm embeddings of what load(0) … load(count - 1) give."""
        embeddings = np.zeros((count, self.spec["dim"]), np.float32)

        def keep(row: int, outputs: Sequence[Floats]) -> None:
            embeddings[row : row + len(outputs[0])] = outputs[0]

        run_batches(self.image_model, load, count, keep)
        return embeddings
