"""Compare names of albums, and evaluate filters on albums."""

from typing import TYPE_CHECKING

from clipsearch.columns.written import name_condition
from clipsearch.query.filters import FAVOURITES, Pattern
from clipsearch.store import Store
from clipsearch.text import fold_name

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

_FAVOURITES = frozenset({FAVOURITES, "favourite", "favorites", "favorite"})

# They join letters of a word, or pictures of one, and are not seen themselves: zero width joiner and non-joiner.
JOINERS = dict.fromkeys((0x200C, 0x200D))


def album_key(name: str) -> str:
    """Return what two names of one album have in common; all spellings of "favourites" are one."""
    folded = fold_name(" ".join(name.translate(JOINERS).split()))
    return FAVOURITES if folded in _FAVOURITES else folded


def find_in_albums(pattern: Pattern, store: Store) -> "NDArray[np.int64]":
    """Return the content ids (n,), sorted, of the albums that a pattern names.

    That is the album of this very name, caseless; where there is none, those with its words in their names.
    """
    import numpy as np

    names = store.album_rows.names()
    wanted = album_key(pattern.text)
    chosen = [name for name in names if album_key(name) == wanted]
    if not chosen:
        is_wanted = name_condition(pattern)
        chosen = [name for name in names if is_wanted(fold_name(name))]
    members = {content_id for name in chosen for content_id in store.album_rows.members(name)}
    return np.array(sorted(members), dtype=np.int64)


def count_albums(find_passing: "Callable[[], NDArray[np.int64]]", store: Store) -> dict[str, int]:
    """Count the pictures that pass some filters by album; albums without one are left out.

    Args:
        find_passing: returns the content ids (n,) of these pictures.
    """
    import numpy as np

    members = store.album_rows.all_members()
    if not members:
        return {}
    passing = find_passing()
    counts = {name: int(np.isin(np.array(ids, dtype=np.int64), passing).sum()) for name, ids in members.items()}
    return {name: number for name, number in counts.items() if number}
