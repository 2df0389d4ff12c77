"""Which picture a group of copies is made of."""

import pytest

from clipsearch.gallery.duplicates.gathering import gather


def gathered(copies, alike, order, *, known=None):
    """`alike`: (better, worse) → likeness; `known`: those that were compared at first, all without it."""
    compared = []

    def compare(first, second):
        compared.append((first, second))
        return alike.get((first, second))

    found = alike if known is None else {pair: alike[pair] for pair in known}
    copies = dict(copies)
    gather(copies, found, {content_id: row for row, content_id in enumerate(order)}, compare)
    return copies, compared


def test_the_one_that_most_are_copies_of_takes_them():
    """1 is a framed one, that 3 and all that is made of it is not quite a copy of; 2 explains all but 1."""
    alike = {(1, 2): "copy", (1, 3): "similar", (2, 3): "copy", (2, 4): "copy", (2, 5): "copy"}
    alike |= {(3, 4): "copy", (3, 5): "copy"}
    copies, _ = gathered({2: 1, 4: 3, 5: 3}, alike, [1, 2, 3, 4, 5], known=[(1, 2), (1, 3), (3, 4), (3, 5)])
    assert copies == {3: 2, 4: 2, 5: 2}


def test_of_several_with_as_many_the_best_one_leads():
    alike = {(1, 2): "copy", (1, 4): "copy", (2, 3): "copy", (3, 4): "copy", (1, 3): "similar", (2, 4): "copy"}
    copies, _ = gathered({2: 1, 4: 3}, alike, [1, 2, 3, 4])
    assert copies == {2: 1, 4: 1}


def test_what_only_the_new_one_explains_comes_along():
    alike = {(1, 2): "copy", (1, 3): "similar", (2, 3): "copy", (3, 4): "copy", (2, 4): "copy", (2, 5): "copy"}
    alike |= {(1, 5): "similar"}
    copies, _ = gathered({2: 1, 4: 3}, alike, [1, 2, 3, 4, 5])
    assert copies == {3: 2, 4: 2, 5: 2}


def test_what_is_left_makes_a_group_of_its_own():
    alike = {(1, 2): "copy", (1, 6): "copy", (1, 3): "similar", (2, 3): "copy", (2, 4): "copy", (2, 5): "copy"}
    alike |= {(3, 4): "copy", (3, 5): "copy"}
    copies, _ = gathered({2: 1, 6: 1, 4: 3, 5: 3}, alike, [1, 2, 3, 4, 5, 6])
    assert copies == {3: 2, 4: 2, 5: 2, 6: 1}


@pytest.mark.parametrize("likeness", [None, "similar"])
def test_groups_that_no_picture_connects_stay_as_they_are(likeness):
    """Frames of a burst, each with a small copy."""
    alike = {(1, 3): "copy", (2, 4): "copy", (1, 2): likeness}
    copies, compared = gathered({3: 1, 4: 2}, alike, [1, 2, 3, 4])
    assert copies == {3: 1, 4: 2}
    assert compared == []
