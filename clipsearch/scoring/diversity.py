"""Diversify hits by maximal marginal relevance (MMR), so that a burst of one scene does not fill the page."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clipsearch.types import SearchHit

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


def diversify(
    hits: Sequence[SearchHit], embeddings: NDArray[np.float32], *, usual: float, top_k: int
) -> list[SearchHit]:
    """Choose `top_k` hits by maximal marginal relevance and rank them in that order; the best hit stays first.

    Source: Carbonell and Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998.

    Args:
        hits: best first.
        embeddings: (n, dim) unit-norm, of the hits.
        usual: typical cosine of two unrelated pictures, less than 1.
    """
    if not hits:
        return []
    relevances = np.array([hit.relevance for hit in hits])
    relevances /= max(relevances.max(), np.finfo(np.float64).tiny)
    similarities = np.clip((embeddings @ embeddings.T - usual) / (1 - usual), 0, 1) ** _SHARPNESS
    chosen = [0]
    nearest = similarities[0].copy()
    while len(chosen) < min(top_k, len(hits)):
        marginal = _BALANCE * relevances - (1 - _BALANCE) * nearest
        marginal[chosen] = -np.inf
        best = int(marginal.argmax())
        chosen.append(best)
        nearest = np.maximum(nearest, similarities[best])
    return [replace(hits[row], rank=rank) for rank, row in enumerate(chosen, start=1)]
