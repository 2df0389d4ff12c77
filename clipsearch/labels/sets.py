"""Sets of labels by name: those that come along, and those that a catalog was given."""

from collections.abc import Sequence

from clipsearch.data import BUILT_IN, built_in_labels
from clipsearch.errors import InputError, QueryError
from clipsearch.store import Store
from clipsearch.text import check_text


def find_labels(wanted: str | Sequence[str], store: Store | None) -> list[str]:
    """The labels of a set by its name, the catalog's first; or those given, each once.

    Raises:
        QueryError: there is no such set, or none or an empty one is given.
    """
    if not isinstance(wanted, str):
        labels = list(dict.fromkeys(wanted))
        if not labels:
            raise QueryError("no labels to choose from")
        for label in labels:
            check_text(label, "label")
        return labels
    stored = store.labels.find(wanted) if store is not None else None
    if stored is not None:
        return stored
    if wanted in BUILT_IN:
        return built_in_labels(wanted)
    known = sorted({*BUILT_IN, *(store.labels.counts() if store is not None else ())})
    raise QueryError(f"no labels are known as {wanted!r}, only {', '.join(known)}; see 'clipsearch labels add'")


def check_name(name: str) -> None:
    """
    Raises:
        InputError: no set can be called that.
    """
    if not name.strip() or not name.isprintable() or name.startswith("-"):
        raise InputError(f"a set of labels can't be called {name!r}")
    if name in BUILT_IN:
        raise InputError(f"{name} is one of the sets that come along: choose another name with --name")
