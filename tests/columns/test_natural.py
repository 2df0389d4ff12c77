"""Names sort naturally, as obvious code sorts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.columns import natural
from clipsearch.columns.natural import natural_keys
from tests.fuzz.budget import examples
from tests.support.filter_sql import natural as obvious

NAMES = st.text("ab01289.-_ é\x00\x01/:", max_size=12).map(str.encode)


@pytest.mark.parametrize(
    "names",
    [
        ["img1.jpg", "img2.jpg", "img9.jpg", "img10.jpg", "img010x.jpg", "img100.jpg"],
        ["", " ", "0", "1", "2", "10", "a", "a0", "a1", "b"],
        ["2023-07-01.jpg", "2023-07-02.jpg", "2023-10-01.jpg", "20230701.jpg", "x.jpg"],
        ["a9", "a10", "a9" + "0" * 300],
    ],
)
def test_names_in_their_natural_order(names):
    encoded = [name.encode() for name in names]
    keys = natural_keys(encoded)
    assert keys == sorted(keys) and len(set(keys)) == len(names)
    assert not any(b"\0" in key for key in keys)


def test_zeros_in_front_make_no_difference():
    assert len(set(natural_keys([b"img7.jpg", b"img07.jpg", b"img0007.jpg"]))) == 1
    assert len(set(natural_keys([b"a0", b"a00", b"a000"]))) == 1


@examples(200)
@given(st.lists(NAMES, max_size=20))
def test_keys_compare_as_the_parts_of_names(names):
    known = [name.replace(b"\0", b"\1") for name in names]
    keys = natural_keys(names)
    for one, key in zip(known, keys, strict=True):
        for other, other_key in zip(known, keys, strict=True):
            assert (key < other_key) == (obvious(one) < obvious(other)), (one, other)


def test_many_names_are_taken_in_pieces(monkeypatch):
    names = [b"img%d.jpg" % number for number in range(50)]
    whole = natural_keys(names)
    monkeypatch.setattr(natural, "_NAMES", 7)
    assert natural_keys(names) == whole == sorted(whole)
