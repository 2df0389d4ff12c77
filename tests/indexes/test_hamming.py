import numpy as np
import pytest

from clipsearch.indexes.hamming import near_hashes


@pytest.mark.parametrize("most_bits", [0, 1, 12, 20])
def test_near_hashes_are_those_that_counting_finds(most_bits):
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 1 << 64, 700, dtype=np.uint64)
    hashes[300:310] = hashes[:10] ^ np.array([(1 << each) - 1 for each in range(10)], dtype=np.uint64)
    queries = np.concatenate([hashes[250:], hashes[:1]])
    expected = np.bitwise_count(queries[:, None] ^ hashes)
    found = {
        (query, row): bits
        for part in near_hashes(queries, hashes, most_bits=most_bits)
        for query, row, bits in zip(*(each.tolist() for each in part), strict=True)
    }
    assert found == {(query, row): expected[query, row] for query, row in np.argwhere(expected <= most_bits).tolist()}


def test_near_hashes_of_none():
    none, one = np.zeros(0, np.uint64), np.ones(1, np.uint64)
    assert list(near_hashes(none, one, most_bits=3)) == []
    assert all(not len(part[0]) for part in near_hashes(one, none, most_bits=3))
