"""Worker processes that break while they decode."""

from collections.abc import Callable
from pathlib import Path

import pytest

from clipsearch import processes


def prepare_breaking(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Callable[[str], None]:
    """A function that has workers run some code first; `decode` there is `LocalPicture.decode`."""

    def prepare(code: str) -> None:
        (folder / "breaking").mkdir()
        (folder / "breaking" / "broken_worker.py").write_text(
            "import clipsearch.images.reading as reading\n"
            "import clipsearch.images.worker as worker\n"
            "decode = reading.LocalPicture.decode\n"
            f"{code}\n"
            "worker.main()\n"
        )
        monkeypatch.syspath_prepend(str(folder / "breaking"))
        command = processes.command
        monkeypatch.setattr(
            processes,
            "command",
            lambda arguments: command(
                ["broken_worker" if part == "clipsearch.images.worker" else part for part in arguments]
            ),
        )

    return prepare
