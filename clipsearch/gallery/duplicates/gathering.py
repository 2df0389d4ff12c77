"""Gather copies into groups around the content with the most copies.

Each content is first compared with better ones in turn, so that of 12 copies of a photograph those that are not copies
of the best one start a group of their own. When such groups show the same, the content with the most copies takes all
of these, each after a direct comparison.
"""

from collections.abc import Callable, Container, Mapping, MutableMapping, Sequence

from clipsearch.images.copies.decision import Likeness

Compare = Callable[[int, int], Likeness | None]


def gather(
    copies: MutableMapping[int, int],
    found: Mapping[tuple[int, int], Likeness],
    place: Mapping[int, int],
    compare: Compare,
) -> None:
    """Regroup copies, in place, around the contents with the most copies.

    Args:
        copies: content id → the better content that it is a copy of; modified.
        found: (better, worse) → what the worse one is to the better one, for all similar pairs compared.
        place: rank of each content, from 0 for the best.
        compare: (better, worse) → what the worse one is to the better one.
    """
    leaders = {*copies, *copies.values()}
    for contents in _mixed(copies, found, place, compare):
        for content_id in contents:
            copies.pop(content_id, None)
        _lead(contents, leaders, copies, compare)


def _lead(contents: Sequence[int], leaders: Container[int], copies: MutableMapping[int, int], compare: Compare) -> None:
    """Assign copies repeatedly to the content with the most of them; `contents` and ties are ordered best first."""
    while contents:
        leader, taken = contents[0], list[int]()
        for row, first in enumerate(contents):
            if len(contents) - row - 1 <= len(taken):
                break
            if first in leaders:
                worse = [second for second in contents[row + 1 :] if compare(first, second) == "copy"]
                if len(worse) > len(taken):
                    leader, taken = first, worse
        if not taken:
            return
        copies.update(dict.fromkeys(taken, leader))
        contents = [content_id for content_id in contents if content_id != leader and content_id not in taken]


def _mixed(
    copies: Mapping[int, int],
    found: Mapping[tuple[int, int], Likeness],
    place: Mapping[int, int],
    compare: Compare,
) -> list[list[int]]:
    """Return the sets of contents, best first, of groups to regroup.

    Groups are joined when the first of one is a copy of a member of the other; contents similar to either first are
    included.
    """
    members: dict[int, list[int]] = {}
    for second, first in copies.items():
        members.setdefault(first, []).append(second)
    near = [pair for pair, likeness in found.items() if likeness == "similar" and pair[0] in members]
    heads = {leader: leader for leader in members}
    for first, second in near:
        if second in members:
            between = [each for each in members[first] if place[each] < place[second]]
            if any(compare(each, second) == "copy" for each in between):
                heads[_head(heads, second)] = _head(heads, first)
    alone = {second: first for first, second in reversed(near) if second not in copies and second not in members}
    sets: dict[int, list[int]] = {}
    for leader, followers in members.items():
        sets.setdefault(_head(heads, leader), []).extend([leader, *followers])
    for second, first in alone.items():
        sets[_head(heads, first)].append(second)
    joined = {_head(heads, leader) for leader in members if _head(heads, leader) != leader}
    return [sorted(sets[head], key=place.__getitem__) for head in joined]


def _head(heads: Mapping[int, int], leader: int) -> int:
    while heads[leader] != leader:
        leader = heads[leader]
    return leader
