"""What a text, and a number of results, must be."""

import pytest

from clipsearch.errors import QueryError
from clipsearch.text import MOST_TOP_K, check_top_k


@pytest.mark.parametrize("number", [0, -1, -(10**30), MOST_TOP_K + 1, 1 << 63, 10**30])
def test_numbers_of_results_that_are_none(number):
    with pytest.raises(QueryError, match="top_k must be at least 1 and at most 1,000,000,000, not"):
        check_top_k(number)


def test_numbers_of_results():
    for number in (1, 10, MOST_TOP_K):
        check_top_k(number)
