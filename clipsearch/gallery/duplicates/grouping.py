"""Build groups of duplicate files from decided pairs of contents."""

from collections.abc import Container, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from clipsearch.gallery.duplicates.decision import Decision, rank, reason_for
from clipsearch.gallery.duplicates.groups import DuplicateGroup, DuplicatePicture, GroupKind
from clipsearch.store import ContentDetails

# Why the first of identical files is the best.
_IDENTICAL = "identical files, first path in order"


def make_groups(
    paths: Mapping[int, Sequence[str]],
    details: Mapping[int, ContentDetails],
    decision: Decision,
    embeddings: Mapping[int, NDArray[np.float32]],
) -> list[DuplicateGroup]:
    """Build the groups: exact ones and copies by wasted bytes, most first, then similar ones.

    Args:
        paths: content id → its files, possibly none.
        embeddings: of all contents in the decision.
    """
    # Without a file of the better one, how its copies compare with each other is unknown.
    copies = {second: first for second, first in decision.copies.items() if paths[first]}
    similar = {second: first for second, first in decision.similar.items() if paths[first]}
    sets: list[tuple[GroupKind, list[int]]] = []
    for kind, members in (("copy", copies), ("similar", similar)):
        groups: dict[int, list[int]] = {}
        for second, first in members.items():
            groups.setdefault(first, [first]).append(second)
        sets += [(kind, group) for group in groups.values()]  # type: ignore[misc]
    in_copies = {*copies, *copies.values()}
    sets += [("exact", [content_id]) for content_id in paths if content_id not in in_copies]
    found = [
        _group(kind, members, paths, details, decision.grey, embeddings) for kind, members in sets if paths[members[0]]
    ]
    return sorted(
        (group for group in found if len(group.pictures) > 1),
        key=lambda group: (group.kind == "similar", -group.spare_bytes, group.pictures[0].path),
    )


def _group(
    kind: GroupKind,
    members: Sequence[int],
    paths: Mapping[int, Sequence[str]],
    details: Mapping[int, ContentDetails],
    grey: Container[int],
    embeddings: Mapping[int, NDArray[np.float32]],
) -> DuplicateGroup:
    """Build one group; `members` are contents, best first."""
    best, pictures = members[0], list[DuplicatePicture]()
    for content_id in members:
        # Files with the same content as a similar one are in a group of their own.
        for path in paths[content_id][: 1 if kind == "similar" else None]:
            content = details[content_id]
            pictures.append(
                DuplicatePicture(
                    path,
                    content_id,
                    content.metadata.width,
                    content.metadata.height,
                    content.size_bytes,
                    1.0 if content_id == best else float(embeddings[content_id] @ embeddings[best]),
                    ("exact" if content_id == best else kind) if pictures else "best",
                )
            )
    there = [content_id for content_id in members if paths[content_id]]
    ranks = [rank(details[content_id], paths[content_id], is_grey=content_id in grey) for content_id in there]
    return DuplicateGroup(kind, tuple(pictures), reason_for(ranks) or _IDENTICAL)
