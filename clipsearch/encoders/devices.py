"""What a model can run on here."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch import settings
from clipsearch.errors import ModelError

if TYPE_CHECKING:
    import torch

# There where a driver of NVIDIA, of AMD, or that of a Windows around a Linux (WSL) is loaded.
_LINUX_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


def may_have_gpu() -> bool:
    """False when there is surely nothing faster than the CPU. Asks the system only: to ask torch takes seconds."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if sys.platform == "win32":
        return Path(os.environ.get("SYSTEMROOT", "C:/Windows"), "System32", "nvcuda.dll").exists()
    return any(Path(driver).exists() for driver in _LINUX_DRIVERS)


def choose_device(device: str | None) -> torch.device:
    """The best device there is, or the one asked for.

    Raises:
        InputError: the one asked for is none.
        ModelError: it is not here; no other is taken in its place.
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
        raise ModelError(f"the device {device!r} is not available here; leave --device out to take the best there is")
    return chosen
