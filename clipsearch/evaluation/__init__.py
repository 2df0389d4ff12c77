"""Evaluate search, relevance and labels on captioned pictures, through the same code as a catalog's queries."""

from clipsearch.evaluation.labels import LabelQuality, evaluate_labels
from clipsearch.evaluation.relevance import RelevanceQuality, evaluate_relevance
from clipsearch.evaluation.retrieval import QualityComparison, RetrievalQuality, compare_models, evaluate_pairs

__all__ = [
    "LabelQuality",
    "QualityComparison",
    "RelevanceQuality",
    "RetrievalQuality",
    "compare_models",
    "evaluate_labels",
    "evaluate_pairs",
    "evaluate_relevance",
]
