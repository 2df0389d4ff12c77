"""How good answers are: pure functions on lists of answers."""

from collections.abc import Hashable, Sequence


def ranks(answers: Sequence[Sequence[Hashable]], expected: Sequence[Hashable]) -> list[int | None]:
    """Where each query's expected answer stands, from 1; None where it is not among the answers.

    Args:
        answers: for each query its answers, best first.
        expected: for each query the one right answer.
    """
    return [
        next((rank for rank, answer in enumerate(found, start=1) if answer == right), None)
        for found, right in zip(answers, expected, strict=True)
    ]


def recall_at_k(found_ranks: Sequence[int | None], k: int) -> float:
    """Retrieval recall: the share of queries whose right answer is among the first k, 0 to 1.

    Raises:
        ValueError: there are no queries.
    """
    if not found_ranks:
        raise ValueError("recall of no queries")
    return sum(rank is not None and rank <= k for rank in found_ranks) / len(found_ranks)
