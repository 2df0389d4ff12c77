"""Numbers in messages: one is not several, few are not none, and what exceeds a limit does not look like it."""

import math

import pytest

from clipsearch.images.reasons import too_large, too_many_bytes
from clipsearch.quantities import count, rate, size, value_and_limit


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0 files are"), (1, "1 file is"), (2, "2 files are"), (1200, "1,200 files are")]
)
def test_the_noun_and_the_verb_agree_with_the_number(number: int, expected: str) -> None:
    assert count(number, "file is", "files are") == expected
    assert count(number, "file") == expected.rpartition(" ")[0]


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [
        (0.12, 0.1, ("0.12", "0.1")),
        (0.1234, 0.1233, ("0.1234", "0.1233")),
        (256.000001, 256.0, ("256.000001", "256")),
        (256.4, 256.0, ("256.4", "256")),
        (400.0, 256.0, ("400", "256")),
        (400.0, 0.5, ("400", "0.5")),
        (0.000003, 0.000001, ("0.000003", "0.000001")),
        (1_500_000.0, 1e6, ("1,500,000", "1,000,000")),
        (1.2, 0.7, ("1.2", "0.7")),
        (1e-300, 1e-301, ("1e-300", "1e-301")),
    ],
)
def test_a_number_is_not_written_as_its_limit(value: float, limit: float, expected: tuple[str, str]) -> None:
    assert value_and_limit(value, limit) == expected


def test_no_pair_of_numbers_looks_the_same() -> None:
    limits = [0.000001 * 1.7**power for power in range(40)]
    for limit in limits:
        for value in (limit * 1.000001, limit * 1.01, limit * 3, limit * 1e6):
            shown, shown_limit = value_and_limit(value, limit)
            assert shown != shown_limit
            assert "0" not in (shown, shown_limit)


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (999_949, "999.9 KB"), (999_960, "1.0 MB"), (5e15, "5,000.0 TB")],
)
def test_sizes_have_at_most_three_digits_before_the_point(size_bytes: float, expected: str) -> None:
    assert size(size_bytes) == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0"), (0.034, "0.034"), (0.4, "0.4"), (9.96, "10"), (57.4, "57"), (1234.5, "1,234")]
)
def test_few_a_second_are_not_none(number: float, expected: str) -> None:
    assert rate(number) == expected


def test_reasons_name_the_limit_that_was_exceeded() -> None:
    assert str(too_large(0.1000001, 0.1)) == "too large: 0.1000001 megapixels, the limit is 0.1"
    assert str(too_large(math.inf, 0.5)) == "too large: more than 0.5 megapixels"
    assert str(too_many_bytes(1_073_841_825, 1_073_841_824)) == "too large: 1.073841825 GB, the limit is 1.073841824"
