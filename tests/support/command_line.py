"""Run the installed console script in a subprocess."""

import os
import subprocess
import sys
from pathlib import Path

from clipsearch.paths import sample_data_folder

SAMPLES = sample_data_folder()
SCRIPT = Path(sys.executable).parent / "clipsearch"


def run(*arguments, code: int = 0, **options) -> subprocess.CompletedProcess[str]:
    found = subprocess.run(
        [SCRIPT, *map(os.fsdecode, arguments)],
        check=False,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=120,
        **options,
    )
    assert found.returncode == code, (found.returncode, found.stdout, found.stderr)
    assert "Traceback" not in found.stderr
    return found


def fail(*arguments, code: int, **options) -> str:
    """A run that fails: nothing on stdout, one line on stderr."""
    found = run(*arguments, code=code, **options)
    assert found.stdout == ""
    (line,) = found.stderr.splitlines()
    assert line.startswith("clipsearch: ")
    return line
