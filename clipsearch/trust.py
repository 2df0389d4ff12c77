"""Lists of what the user has named on this machine, kept in his configuration and outside of any catalog: what comes
with a file of somebody else's is in none of them."""

from contextlib import suppress

from clipsearch.files import atomic_write
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
        atomic_write(folder / name, "".join(f"{line}\n" for line in lines).encode("utf-8"), is_durable=True)
        return True
    return False
