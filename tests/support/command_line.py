"""Run the command line: in this process, or as the installed console script in one of its own."""

import contextlib
import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from clipsearch import cli
from clipsearch.notices import LOGGER
from clipsearch.paths import sample_data_folder

SAMPLES = sample_data_folder()
SCRIPT = Path(sys.executable).parent / "clipsearch"

Done = subprocess.CompletedProcess[str]


def run(*arguments, code: int | None = 0, cwd: str | os.PathLike[str] = ".", answers: str | None = None) -> Done:
    """Run one command here, with the notices and warnings of a process of its own; `code` None allows any.

    `answers` are typed: then stdin and stdout are terminals, and stderr none, as for a program that logs it.
    """
    out, err = _Output(is_terminal=answers is not None), _Output()
    words = [os.fsdecode(argument) for argument in arguments]
    with (
        contextlib.chdir(cwd),
        warnings.catch_warnings(),
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        warnings.simplefilter("ignore")
        patch.setattr(LOGGER, "handlers", [cli.NoticePrinter()])
        patch.setattr(LOGGER, "propagate", False)
        patch.setattr(sys, "argv", ["clipsearch", *words])
        patch.setattr(sys, "stdin", _Input(answers))
        patch.setattr(sys.modules["__main__"], "__package__", None)  # of `python -m pytest`: it would be named in help
        returned = cli.run(words)
    return _checked(subprocess.CompletedProcess(words, returned, out.text(), err.text()), code)


def run_script(*arguments, code: int = 0, **options) -> Done:
    """Run the installed console script in a subprocess; `options` as for `subprocess.run`."""
    found = subprocess.run(
        [SCRIPT, *map(os.fsdecode, arguments)],
        check=False,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=120,
        **options,
    )
    return _checked(found, code)


def fail(*arguments, code: int, run: Callable[..., Done] = run, **options) -> str:
    """A run that fails: nothing on stdout, one line on stderr."""
    found = run(*arguments, code=code, **options)
    assert found.stdout == ""
    (line,) = found.stderr.splitlines()
    assert line.startswith("clipsearch: ")
    return line


def _checked(found: Done, code: int | None) -> Done:
    assert code in (None, found.returncode), (found.returncode, found.stdout, found.stderr)
    assert "Traceback" not in found.stderr
    return found


class _Input(io.StringIO):
    """What is typed on a terminal; None: no terminal, and nothing to read."""

    def __init__(self, answers: str | None) -> None:
        super().__init__(answers or "")
        self._is_terminal = answers is not None

    def isatty(self) -> bool:
        return self._is_terminal


class _Output(io.TextIOWrapper):
    """Standard output of a process in a UTF-8 locale."""

    def __init__(self, *, is_terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="\n")
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode("utf-8", "surrogateescape")
