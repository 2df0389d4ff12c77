"""Find phrases of plain words that say when, where, of whom, with what or without what a picture was taken.

Deterministic, without a model, in five languages: "a rocket in July 2023" becomes `a rocket taken:2023-07`. A phrase
that may be part of the picture stays words and is offered.
"""

from clipsearch.query.phrases.context import Context
from clipsearch.query.phrases.reading import Phrase, Understanding, understand

__all__ = ["Context", "Phrase", "Understanding", "understand"]
