"""Starts Python again, with the modules of this process but none from the current folder."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def run_python(arguments: Sequence[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs Python to its end, without input, and keeps what it prints.

    Args:
        variables: added to the environment.

    Raises:
        OSError: it can't be started.
    """
    return subprocess.run(  # noqa: S603
        command(arguments),
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def command(arguments: Sequence[str]) -> list[str]:
    # With -c and -m Python would look for modules in the current folder first, which may be one of pictures from
    # anywhere: a torch.py there would be run.
    return [sys.executable, "-P", *arguments]


def environment(**variables: str) -> dict[str, str]:
    """That of this process, in which Python finds the same modules, and `variables`."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(_module_folders()), **variables}


def _module_folders() -> list[str]:
    """sys.path, so that the same clipsearch is found; without the current folder unless clipsearch lies there."""
    own = Path(__file__).resolve().parents[1]
    try:
        here = Path.cwd().resolve()
    except FileNotFoundError:  # deleted meanwhile: nothing can be relative to it
        return [entry for entry in sys.path if Path(entry).is_absolute()]
    # An empty entry, too, means the current folder.
    folders = [Path(entry).absolute() for entry in sys.path]
    return [str(folder) for folder in folders if here == own or folder.resolve() != here]
