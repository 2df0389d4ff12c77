"""The bank of texts and photographs that a model's scores are compared with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.scoring.familiarity import nearness_of


@dataclass(frozen=True, slots=True)
class Bank:
    """A model's embeddings of texts, and what is known of it from them.

    Attributes:
        embeddings: (n, dim) unit-norm, of what pictures show.
        logit_scale: by which the model multiplies a cosine, see `ProbabilityHead`.
        slope, intercept: of the log-odds that it knows a text, by the text's nearness to these; see `familiarity`.
        picture_location, picture_spread: median and spread, above 0, of the cosines of photographs that have nothing in
            common.
    """

    embeddings: NDArray[np.float32]
    logit_scale: float
    slope: float
    intercept: float
    picture_location: float = 0.0
    picture_spread: float = 0.1

    def familiarity_of(self, embedding: NDArray[np.float32]) -> float:
        """embedding (dim,) of a text → above 0 to 1, how surely it means anything to the model."""
        (nearness,) = nearness_of(embedding[np.newaxis] @ self.embeddings.T)
        return float(1 / (1 + np.exp(-np.clip(self.slope * nearness + self.intercept, -50, 50))))
