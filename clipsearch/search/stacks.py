"""Show a stack (raw file and JPEG, live photo, burst) as one hit.

The hit is its best member that passes the filters, with the score of the member that matches best. The others that pass
are named by their content ids.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipsearch.search.hits import SearchHit, reachable
from clipsearch.session.session import Session
from clipsearch.store import Store

if TYPE_CHECKING:
    from clipsearch.indexes.id_set import IdSet
    from clipsearch.query.filters import Filter


@dataclass(frozen=True, slots=True)
class Shown:
    """Which contents may be shown.

    Attributes:
        among: ids of those that pass the filters; None: all.
        filters: of the paths of a content, those that pass come first.
        newest: highest content id; None: any.
    """

    among: "NDArray[np.int64] | IdSet | None" = None
    filters: "Sequence[Filter]" = ()
    newest: int | None = None

    def choose(self, content_ids: Sequence[int]) -> set[int]:
        """Return those that may be shown."""
        ids = np.array(content_ids, dtype=np.int64)
        if self.newest is not None:
            ids = ids[ids <= self.newest]
        if self.among is not None:
            is_in = np.isin(ids, self.among) if isinstance(self.among, np.ndarray) else self.among.contains(ids)
            ids = ids[is_in]
        return set(ids.tolist())


def stack_keys(content_ids: Sequence[int], store: Store) -> dict[int, int]:
    """Return the id of the stack of each content; of one in no stack, its own, which is that of no stack."""
    stacks = store.reader.stacks.stack_ids(content_ids)
    return {number: stacks.get(number, number) for number in content_ids}


def show_best(hits: Sequence[SearchHit], shown: Shown, store: Store) -> list[SearchHit]:
    """Replace each hit by the best member of its stack, which keeps the rank, the score and the relevance.

    A part is that of the hit, and left out where another member is shown.
    """
    stacks = store.reader.stacks.of_contents([hit.content_id for hit in hits])
    if not stacks:
        return list(hits)
    paths = store.reader.paths(sorted({each for members in stacks.values() for each in members}), filters=shown.filters)
    allowed = shown.choose(list(paths))
    found = []
    for hit in hits:
        members = [number for number in stacks.get(hit.content_id, ()) if number in allowed]
        if members and members != [hit.content_id]:
            best, *others = members
            files = reachable(paths[best])
            part = hit.part if best == hit.content_id else None
            found.append(
                replace(hit, path=files[0], copies=tuple(files[1:]), content_id=best, part=part, stack=tuple(others))
            )
        else:
            found.append(hit)
    return found


def list_stack(content_id: int, filters: "Sequence[Filter]", session: Session) -> tuple[SearchHit, ...]:
    """Return the pictures of the stack of a content that pass all filters, the best first; documented in `stack`."""
    store = session.store
    members = store.reader.stacks.of_contents([content_id]).get(content_id, (content_id,))
    paths = store.reader.paths(members, filters=filters)
    among = session.columns.ask(lambda columns: columns.select(filters)) if filters else None
    allowed = Shown(among, filters).choose(list(paths))
    found = [(number, reachable(paths[number])) for number in members if number in allowed]
    return tuple(
        SearchHit(rank, math.nan, 1.0, files[0], number, copies=tuple(files[1:]))
        for rank, (number, files) in enumerate(found, start=1)
    )
