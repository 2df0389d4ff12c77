"""Describe the files that were passed over because nothing here reads their kind, and the extra that would."""

from collections.abc import Mapping, Sequence

from clipsearch.formats import Extra, FileKind, count_kinds, is_read
from clipsearch.quantities import count


def describe_passed_over(unsupported: Mapping[str, int]) -> str | None:
    """Describe files of kinds that are not read, such as `IndexReport.unsupported`, in a line; None: there are none.

    "12 camera raw files and 3 films were passed over: pip install 'clipsearch[raw,video]' reads them"
    """
    counts = count_kinds(unsupported)
    if not counts:
        return None
    files = _listed([_named(kind, number, unsupported) for kind, number in counts.items()])
    verb = "was" if sum(counts.values()) == 1 else "were"
    readable = [kind for kind in counts if isinstance(kind.reader, Extra)]
    now = [kind for kind in readable if is_read(kind)]  # their extra was installed since
    with_extra = [kind for kind in readable if kind not in now]
    remedies = []
    if with_extra:
        names = ",".join(dict.fromkeys(kind.reader.name for kind in with_extra if isinstance(kind.reader, Extra)))
        remedies.append(f"pip install 'clipsearch[{names}]' reads {_them(with_extra, counts)}")
    if now:
        remedies.append(f"clipsearch index reads {_them(now, counts)}")
    return f"{files} {verb} passed over" + (f": {' and '.join(remedies)}" if remedies else "")


def _named(kind: FileKind, number: int, unsupported: Mapping[str, int]) -> str:
    """Name files of a kind; with their suffixes where no extra reads them, since then the kind alone says little."""
    named = count(number, kind.noun)
    if isinstance(kind.reader, Extra):
        return named
    return f"{named} ({', '.join(suffix for suffix in sorted(kind.suffixes) if unsupported.get(suffix))})"


def _them(kinds: Sequence[FileKind], counts: Mapping[FileKind, int]) -> str:
    """Refer to the files of some kinds."""
    if len(kinds) < len(counts):
        return "the " + _listed([kind.noun + ("s" if counts[kind] > 1 else "") for kind in kinds])
    return "it" if sum(counts.values()) == 1 else "them"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
