"""Find label sets by name: the built-in ones, and those stored in a catalog."""

from collections.abc import Sequence

from clipsearch.data import BUILT_IN, built_in_labels
from clipsearch.errors import InputError, QueryError
from clipsearch.store import Store
from clipsearch.text import check_text


def find_labels(label_set: str | Sequence[str], store: Store | None) -> list[str]:
    """Return the labels of a set by its name, or the labels of a sequence without duplicates.

    A set stored in the catalog takes precedence over a built-in one.

    Raises:
        QueryError: the set is unknown, or the sequence is empty or has an empty label.
    """
    if not isinstance(label_set, str):
        labels = list(dict.fromkeys(label_set))
        if not labels:
            raise QueryError("no labels to choose from")
        for label in labels:
            check_text(label, "label")
        return labels
    stored = store.labels.find(label_set) if store is not None else None
    if stored is not None:
        return stored
    if label_set in BUILT_IN:
        return built_in_labels(label_set)
    known = sorted({*BUILT_IN, *(store.labels.counts() if store is not None else ())})
    raise QueryError(f"unknown label set {label_set!r}: use {', '.join(known)}, or add it with 'clipsearch labels add'")


def check_name(name: str) -> None:
    """Check the name of a new label set.

    Raises:
        InputError: empty, not printable, starting with "-", or the name of a built-in set.
    """
    if not name.strip() or not name.isprintable() or name.startswith("-"):
        raise InputError(f"invalid name of a label set: {name!r}")
    if name in BUILT_IN:
        raise InputError(f"{name} is the name of a built-in label set: choose another with --name")
