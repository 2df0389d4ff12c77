"""Examine this machine for what decides which model suits it: processor, GPU, memory, disk, language."""

import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsearch import processes
from clipsearch.encoders.devices import may_have_gpu, measure_gpu
from clipsearch.encoders.hub import hub
from clipsearch.encoders.openvino.runtime import can_calculate_with
from clipsearch.openvino_loader import import_openvino

# Features of processors that make matrix products fast, by their names in /proc/cpuinfo.
_FEATURES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "VNNI",
    "avx512_vnni": "VNNI",
    "avx512_bf16": "bf16",
    "amx_bf16": "bf16",
    "amx_tile": "AMX",
    "asimd": "NEON",
    "asimddp": "dot product",
}

# Two layers of a transformer's MLP, as wide as those of ViT-B, on the tokens of a batch of eight pictures.
_TOKENS, _WIDTH, _HIDDEN = 400, 768, 3072

# An image tower does this share of the operations a second of its matrix products alone. Measured on two cores with
# AMX: 0.72 to 1.03, median 0.83, on the CPU with CLIP ViT-B/32 in bfloat16.
_CPU_SHARE = 0.8

# On a GPU: 144 of about 790 TFLOP/s with CLIP ViT-B/32 in float16 on an H200, from the pictures a second in
# docs/benchmarks.md.
_GPU_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine has for a model.

    Attributes:
        processor: its name; "" when unknown.
        cores: logical ones that this process may use.
        features: of the processor, such as "AVX2", "VNNI", "bf16"; empty when unknown.
        precision: fastest arithmetic that OpenVINO has natively here: "bf16", "f16" or "f32".
        gpu: name of the GPU that would embed pictures; None without one.
        tower_gflops: billions of operations a second that an image tower is expected to do, on the GPU if there is one,
            else on the CPU.
        memory_bytes: that can be had without swapping; None when unknown.
        disk_bytes: free for downloads in the hub's cache; None when unknown.
        language: of the user's locale, such as "de"; None for a locale without a language, such as C.
    """

    processor: str
    cores: int
    features: tuple[str, ...]
    precision: str
    gpu: str | None
    tower_gflops: float
    memory_bytes: int | None
    disk_bytes: int | None
    language: str | None


def examine_machine() -> Machine:
    """Examine this machine; takes a second, or some seconds with a GPU. Nothing is downloaded."""
    precision = next((name for name in ("bf16", "f16") if can_calculate_with(name)), "f32")
    gpu = measure_gpu() if may_have_gpu() else None
    return Machine(
        processor=processes.processor_name(),
        cores=processes.core_count(),
        features=processor_features(),
        precision=precision,
        gpu=None if gpu is None else gpu[0],
        tower_gflops=_CPU_SHARE * _measure_cpu(precision) if gpu is None else _GPU_SHARE * gpu[1],
        memory_bytes=processes.available_bytes(),
        disk_bytes=_free_bytes(hub.cache_folder()),
        language=find_language(os.environ),
    )


def processor_features() -> tuple[str, ...]:
    """Return what makes this processor fast at matrix products, such as ("AVX2", "VNNI"); empty when unknown."""
    flags = processes.processor_flags()
    return tuple(dict.fromkeys(name for flag, name in _FEATURES.items() if flag in flags))


def find_language(environment: Mapping[str, str]) -> str | None:
    """Return the language of a locale's variables, such as "de" for de_DE.UTF-8; None for C and POSIX, or without."""
    locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    found = re.match(r"([a-z]{2,3})(?=[_.@-]|$)", locale)
    return found[1] if found else None


def _measure_cpu(precision: str) -> float:
    """Measure the matrix products of an MLP with OpenVINO: the billions of operations a second with all cores."""
    openvino = import_openvino()
    operations = openvino.opset13
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((_WIDTH, _HIDDEN), dtype=np.float32) / _WIDTH**0.5
    back = rng.standard_normal((_HIDDEN, _WIDTH), dtype=np.float32) / _HIDDEN**0.5
    tokens = operations.parameter([_TOKENS, _WIDTH], np.float32)
    inner = operations.gelu(operations.matmul(tokens, operations.constant(hidden), False, False), "erf")
    model = openvino.Model([operations.matmul(inner, operations.constant(back), False, False)], [tokens])
    options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "THROUGHPUT"}
    queue = openvino.AsyncInferQueue(openvino.Core().compile_model(model, "CPU", options))
    rows = rng.standard_normal((_TOKENS, _WIDTH), dtype=np.float32)
    seconds = []
    for _ in range(8):
        began = time.perf_counter()
        for _ in range(len(queue)):
            queue.start_async({0: rows})
        queue.wait_all()
        seconds.append(time.perf_counter() - began)
    operation_count = 2 * 2 * _TOKENS * _WIDTH * _HIDDEN * len(queue)
    # The first round warms up; the fastest one is the least disturbed by other programs.
    return operation_count / min(seconds[1:]) / 1e9


def _free_bytes(folder: Path) -> int | None:
    """Return the free bytes of the disk with a folder that may not exist yet."""
    for place in (folder, *folder.parents):
        if place.is_dir():
            try:
                return shutil.disk_usage(place).free
            except OSError:
                return None
    return None
