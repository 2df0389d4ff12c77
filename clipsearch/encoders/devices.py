"""Detect and choose the device that a model runs on."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch import settings

if TYPE_CHECKING:
    import torch

# Device files of the drivers of NVIDIA, of AMD, and of WSL (Windows Subsystem for Linux).
_LINUX_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


def may_have_gpu() -> bool:
    """Return whether the machine may have a GPU; a cheap heuristic without torch, whose import takes seconds."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if sys.platform == "win32":
        return Path(os.environ.get("SYSTEMROOT", "C:/Windows"), "System32", "nvcuda.dll").exists()
    return any(Path(driver).exists() for driver in _LINUX_DRIVERS)


def choose_device(device: str | None) -> torch.device:
    """Return the requested device, or the best one available; without fallback from a requested one.

    Raises:
        InputError: the name is not a valid device.
        ModelError: the requested device is not available; an InputError where config.toml requests it.
    """
    import torch

    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    settings.check_device(device)
    chosen = torch.device(device)
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (chosen.index or 0) >= count.get(chosen.type, 0):
        raise settings.unusable("device", device, f"the device {device!r} is not available here")
    return chosen


def measure_gpu() -> tuple[str, float] | None:
    """Measure matrix products in half precision on the GPU that would be chosen; None without one.

    Returns:
        Its name, and billions of operations a second.
    """
    import torch

    device = choose_device(None)
    if device.type == "cpu":
        return None
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "Apple GPU"
    return name, measure_products(device, torch.float16)


def measure_products(device: torch.device, dtype: torch.dtype, *, side: int = 4096, repeats: int = 20) -> float:
    """Measure products of square matrices: billions of operations a second."""
    import torch

    matrix = torch.ones((side, side), device=device, dtype=dtype)
    float((matrix @ matrix)[0, 0])  # waits for the first one, which takes longer
    began = time.perf_counter()
    for _ in range(repeats):
        product = matrix @ matrix
    float(product[0, 0])
    return repeats * 2 * side**3 / (time.perf_counter() - began) / 1e9
