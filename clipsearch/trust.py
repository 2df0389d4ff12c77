"""Lists of what the user has named on this machine, kept in his configuration and outside of any catalog: what comes
with a file of somebody else's is in none of them."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from clipsearch.paths import config_dir

# Of some thousand entries; the oldest make room for new ones.
_MAX_BYTES = 1 << 18


def read_list(name: str) -> list[str]:
    """The entries of a list, none of which has a blank in it; nothing where there is none, or it is damaged."""
    with suppress(OSError, UnicodeDecodeError):
        path = config_dir() / name
        if path.stat().st_size <= _MAX_BYTES:
            return path.read_text(encoding="utf-8").split()
    return []


def add_to_list(name: str, entry: str) -> bool:
    """Says whether the entry stands in the list then."""
    known = read_list(name)
    if entry in known:
        return True
    lines, size = [entry], len(entry) + 1
    for each in reversed(known):
        size += len(each.encode("utf-8")) + 1
        if size > _MAX_BYTES:
            break
        lines.insert(0, each)
    with suppress(OSError, UnicodeEncodeError):
        folder = config_dir()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, fresh = tempfile.mkstemp(prefix=name, dir=folder)  # for the owner only
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)
            Path(fresh).replace(folder / name)
        except BaseException:
            Path(fresh).unlink(missing_ok=True)
            raise
        return True
    return False
