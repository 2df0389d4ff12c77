"""Keep lists of what the user has named on this machine.

The lists lie in the user's configuration, outside of any catalog: nothing that arrives in a file of another user is
trusted.
"""

from contextlib import suppress

from clipsearch.configuration import config_dir
from clipsearch.files import atomic_write

# Room for some thousand entries; the oldest are evicted.
_MAX_BYTES = 1 << 18


def read_list(name: str) -> list[str]:
    """Return the entries of a list, none of which contains whitespace; empty when it is missing or damaged."""
    with suppress(OSError, UnicodeDecodeError):
        path = config_dir() / name
        if path.stat().st_size <= _MAX_BYTES:
            return path.read_text(encoding="utf-8").split()
    return []


def add_to_list(name: str, entry: str) -> bool:
    """Add an entry to a list, which is idempotent; return whether the list contains it afterwards."""
    known = read_list(name)
    if entry in known:
        return True
    lines, size = [entry], len(entry) + 1
    for previous in reversed(known):
        size += len(previous.encode("utf-8")) + 1
        if size > _MAX_BYTES:
            break
        lines.insert(0, previous)
    with suppress(OSError, UnicodeEncodeError):
        folder = config_dir()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic_write(folder / name, "".join(f"{line}\n" for line in lines).encode("utf-8"), is_durable=True)
        return True
    return False
