"""Find phrases of plain words that say when, with what or without what a picture was taken, in five languages.

Deterministic, without a model: "a rocket in July 2023" becomes `a rocket taken:2023-07`. A phrase that may be part of
the picture stays words and is offered.
"""

from clipsearch.query.phrases.reading import Context, Phrase, Understanding, understand

__all__ = ["Context", "Phrase", "Understanding", "understand"]
