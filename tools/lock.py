"""Write constraints.txt: the version of every package that the extras bring, as pip chooses them today.

    python tools/lock.py

Makes a fresh environment, installs all extras with torch as it is pinned, and writes down what is there. Packages of
hardware vendors that torch brings on some machines only (names of CUDA, Triton) are left out.
"""

import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
HEAD = """\
# Versions that are tested together, written by tools/lock.py. The pin of torch does not choose between its builds: on
# Linux pip takes the one with CUDA, about 2.7 GB more, unless a CPU build is installed first (README, "Install").
"""
LEFT_OUT = re.compile(r"(nvidia-|cuda-|triton|pip==|setuptools==|wheel==|clipsearch)", re.IGNORECASE)


def main() -> None:
    (torch,) = re.findall(r"^torch==\S+", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    with tempfile.TemporaryDirectory() as scratch:
        venv.create(scratch, with_pip=True)
        python = Path(scratch, "Scripts" if sys.platform == "win32" else "bin", "python")
        pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-q", torch, "-e", f"{ROOT}[all,dev,services,bench,docs]"], check=True)
        frozen = subprocess.run([*pip, "freeze", "--exclude-editable"], check=True, capture_output=True, text=True)
    pins = [line.partition("+")[0] for line in frozen.stdout.splitlines() if "==" in line and not LEFT_OUT.match(line)]
    CONSTRAINTS.write_text(HEAD + "\n".join(sorted(pins, key=str.lower)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
