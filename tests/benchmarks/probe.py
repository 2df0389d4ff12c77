"""Runs one clipsearch command and prints, in a last line, what its process needed (see `measuring.FinishedCommand`)."""

import json
import re
from pathlib import Path
from typing import Any

from clipsearch.catalog import Catalog
from clipsearch.cli import main

_in_use = {"private_bytes": 0, "anonymous_bytes": 0}


def _bytes_in(file: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(file).read_text(encoding="ascii"), re.M)
    return 0 if found is None else int(found[1]) * 1024


def _note_memory_in_use(close: Any) -> Any:
    def noted(catalog: Catalog) -> None:
        names = ("Private_Clean", "Private_Dirty", "Anonymous")
        clean, dirty, anonymous = (_bytes_in("/proc/self/smaps_rollup", name) for name in names)
        _in_use.update(private_bytes=clean + dirty, anonymous_bytes=anonymous)
        close(catalog)

    return noted


if __name__ == "__main__":
    # When a command closes its catalog its model and its index are still open; at the end of the process they are not.
    Catalog.close = _note_memory_in_use(Catalog.close)  # type: ignore[method-assign]
    exit_code = main()
    print(json.dumps({"exit_code": exit_code, **_in_use}))
