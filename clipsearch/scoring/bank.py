"""Reference bank of texts and photographs, which calibrates a model's scores."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.scoring.familiarity import nearness_of
from clipsearch.vectors import sigmoid


@dataclass(frozen=True, slots=True)
class Bank:
    """A model's embeddings of the reference texts, and the calibration learnt from them.

    Attributes:
        embeddings: (n, dim) unit-norm, of texts about what pictures show.
        logit_scale: factor of the model's cosines, see `ProbabilityHead`.
        slope, intercept: logistic of the log-odds that the model knows a text, by its nearness to these texts; see
            `familiarity`.
        picture_location, picture_spread: median and spread, above 0, of the cosines of unrelated photographs.
    """

    embeddings: NDArray[np.float32]
    logit_scale: float
    slope: float
    intercept: float
    picture_location: float = 0.0
    picture_spread: float = 0.1

    def familiarity_of(self, embedding: NDArray[np.float32]) -> float:
        """Return the probability, above 0 to 1, that the model knows a text, from its embedding (dim,)."""
        (nearness,) = nearness_of(embedding[np.newaxis] @ self.embeddings.T)
        return float(sigmoid(self.slope * nearness + self.intercept))
