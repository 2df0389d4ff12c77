"""Diversify hits by maximal marginal relevance (MMR), so that a burst of one scene does not fill the page."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# MMR's lambda: weight of relevance against dissimilarity from the hits ranked above.
_BALANCE = 0.6

# Exponent of similarities, which are scaled so that unrelated pictures have 0 and copies 1: pictures of one kind of
# thing, at about 0.5, then count as little alike.
_SHARPNESS = 4

# Candidates: at least this multiple of `top_k`, and at least this many more than `top_k`.
_TIMES, _MORE = 4, 50


def candidates_for(top_k: int) -> int:
    """Return the number of candidates to choose `top_k` hits from."""
    return max(_TIMES * top_k, top_k + _MORE)


def diversify(relevances: Sequence[float], embeddings: NDArray[np.float32], *, usual: float, top_k: int) -> list[int]:
    """Choose up to `top_k` of n hits by maximal marginal relevance; the best hit stays first.

    Source: Carbonell and Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998.

    Args:
        relevances: (n,) of the hits, best first.
        embeddings: (n, dim) unit-norm, of the hits.
        usual: typical cosine of two unrelated pictures, less than 1.

    Returns:
        Rows of the chosen hits, in the order of choice.
    """
    if not relevances:
        return []
    shares = np.array(relevances) / max(*relevances, np.finfo(np.float64).tiny)
    similarities = np.clip((embeddings @ embeddings.T - usual) / (1 - usual), 0, 1) ** _SHARPNESS
    chosen = [0]
    nearest = similarities[0].copy()
    while len(chosen) < min(top_k, len(shares)):
        marginal = _BALANCE * shares - (1 - _BALANCE) * nearest
        marginal[chosen] = -np.inf
        best = int(marginal.argmax())
        chosen.append(best)
        nearest = np.maximum(nearest, similarities[best])
    return chosen
