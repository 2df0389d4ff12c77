"""Hits that differ from each other, so that a burst of one thing does not fill the page."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# How much relevance counts, against being unlike what stands above.
_BALANCE = 0.6

# Cosines of two pictures are raised to this power once 0 is what is usual: pictures of one kind of thing, halfway to
# being the same, then count as little alike, and copies still as the same.
_SHARPNESS = 4

_TIMES, _MORE = 4, 50


def candidates_for(top_k: int) -> int:
    """How many hits to choose `top_k` from."""
    return max(_TIMES * top_k, top_k + _MORE)


def diversify(relevances: Sequence[float], embeddings: NDArray[np.float32], *, usual: float, top_k: int) -> list[int]:
    """Choose up to `top_k` of n hits by maximal marginal relevance; the best hit stays first.

    Source: Carbonell and Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998.

    Args:
        relevances: (n,) of the hits, best first.
        embeddings: (n, dim) unit-norm, of the hits.
        usual: cosine of two pictures that have nothing to do with each other, less than 1.

    Returns:
        Rows of the chosen hits, in the order that they are chosen.
    """
    if not relevances:
        return []
    shares = np.array(relevances) / max(*relevances, np.finfo(np.float64).tiny)
    likenesses = np.clip((embeddings @ embeddings.T - usual) / (1 - usual), 0, 1) ** _SHARPNESS
    chosen = [0]
    nearest = likenesses[0].copy()
    while len(chosen) < min(top_k, len(shares)):
        worth = _BALANCE * shares - (1 - _BALANCE) * nearest
        worth[chosen] = -np.inf
        best = int(worth.argmax())
        chosen.append(best)
        nearest = np.maximum(nearest, likenesses[best])
    return chosen
