"""Format the results of clipsearch eval as tables and JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from clipsearch.cli.render import out, printable
from clipsearch.quantities import count

if TYPE_CHECKING:
    from clipsearch.evaluation import LabelQuality, QualityComparison, RelevanceQuality, RetrievalQuality
    from clipsearch.evaluation.metrics import Difference, Estimate
    from clipsearch.types import SkippedFile

_OWN_CAPTIONS_NOTE = "A picture counts as right for its own captions only."


def retrieval_json(quality: "RetrievalQuality") -> dict[str, Any]:
    directions = {"text_to_image": quality.text_to_image, "image_to_text": quality.image_to_text}
    return {
        "n_images": quality.n_images,
        "n_captions": quality.n_captions,
        "model": quality.model,
        **{name: _values(row) for name, row in directions.items()},
        "intervals": {name: _intervals(row) for name, row in directions.items()},
        "skipped": [asdict(file) for file in quality.skipped],
    }


def _values(estimates: "Mapping[str, Estimate]") -> dict[str, float]:
    return {name: found.value for name, found in estimates.items()}


def _intervals(estimates: "Mapping[str, Estimate]") -> dict[str, list[float]]:
    return {name: [found.low, found.high] for name, found in estimates.items()}


def print_retrieval(quality: "RetrievalQuality") -> None:
    size = f"{count(quality.n_images, 'picture')}, {count(quality.n_captions, 'caption')}"
    out(f"model {printable(quality.model)}, {size}{_skipped_count(quality.skipped)}")
    out(f"{'':<13} {'text → image':<25}  image → text")
    for metric, found in quality.text_to_image.items():
        cells = (_estimate(estimate, metric) for estimate in (found, quality.image_to_text[metric]))
        out(f"{_title(metric):<13} {'  '.join(f'{cell:<25}' for cell in cells)}".rstrip())


def _title(metric: str) -> str:
    return {"mrr": "MRR", "ndcg@10": "nDCG@10"}.get(metric, metric.replace("_", " "))


def _estimate(found: "Estimate", metric: str = "") -> str:
    """Format a metric with its 95 % interval."""
    value, low, high = (
        f"{round(each, 1):g}" if metric == "median_rank" else f"{each:.3f}"
        for each in (found.value, found.low, found.high)
    )
    return f"{value}  ({low} to {high})"


def _skipped_count(skipped: "Sequence[SkippedFile]") -> str:
    return f", {count(len(skipped), 'picture')} skipped" if skipped else ""


def comparison_json(compared: "QualityComparison") -> dict[str, Any]:
    directions = {"text_to_image": compared.text_to_image, "image_to_text": compared.image_to_text}
    differences = {
        name: {metric: _difference_json(found) for metric, found in row.items()} for name, row in directions.items()
    }
    return {"a": retrieval_json(compared.a), "b": retrieval_json(compared.b), "differences": differences}


def print_comparison(compared: "QualityComparison") -> None:
    print_retrieval(compared.a)
    out()
    print_retrieval(compared.b)
    out()
    out(f"{printable(compared.b.model)} minus {printable(compared.a.model)}")
    _print_differences("text → image", compared.text_to_image)
    _print_differences("image → text", compared.image_to_text)


def _difference_json(found: "Difference") -> dict[str, Any]:
    return {"difference": found.value, "interval": [found.low, found.high], "p_value": found.p_value}


def _print_differences(title: str, differences: "Mapping[str, Difference]") -> None:
    for metric, found in differences.items():
        interval = f"({found.low:+.3f} to {found.high:+.3f})"
        p_value = "p < 0.001" if found.p_value < 0.001 else f"p = {found.p_value:.3f}"
        out(f"  {title}  {_title(metric):<9} {found.value:+.3f}  {interval}  {p_value}")


def labels_json(found: "LabelQuality") -> dict[str, Any]:
    estimates = {
        "top_1": found.top_1,
        "top_5": found.top_5,
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
    }
    return {
        "n_images": found.n_images,
        "n_labels": found.n_labels,
        "model": found.model,
        "cutoff": found.cutoff,
        **_values(estimates),
        "intervals": _intervals(estimates),
        "skipped": [asdict(file) for file in found.skipped],
    }


def print_labels(found: "LabelQuality") -> None:
    size = f"{count(found.n_images, 'picture')}, {count(found.n_labels, 'label')}"
    out(f"model {printable(found.model)}, {size}{_skipped_count(found.skipped)}")
    _print_row("top 1", _estimate(found.top_1))
    _print_row("top 5", _estimate(found.top_5))
    _print_matches(found)
    out(_OWN_CAPTIONS_NOTE)


def relevance_json(found: "RelevanceQuality") -> dict[str, Any]:
    estimates = {"precision": found.precision, "recall": found.recall, "f1": found.f1}
    return {
        "n_images": found.n_images,
        "n_queries": found.n_queries,
        "model": found.model,
        "cutoff": found.cutoff,
        **_values(estimates),
        "best_score_f1": found.best_score_f1,
        "f1_ratio": _ratio(found),
        "calibration_error": found.calibration_error,
        "reliability": [asdict(each) for each in found.reliability],
        "intervals": _intervals(estimates),
        "skipped": [asdict(file) for file in found.skipped],
    }


def _ratio(found: "RelevanceQuality") -> float:
    # Every query has a right picture, so the best F1 is above 0.
    return found.f1.value / found.best_score_f1


def print_relevance(found: "RelevanceQuality") -> None:
    from clipsearch.evaluation.calibration import LEAST_RELEVANCE

    size = f"{count(found.n_images, 'picture')}, {count(found.n_queries, 'query', 'queries')}"
    out(f"model {printable(found.model)}, {size}{_skipped_count(found.skipped)}")
    _print_matches(found)
    pairs = sum(each.pairs for each in found.reliability)
    _print_row("best cosine", f"{found.best_score_f1:.3f}", f"its F1 with hindsight; ratio {_ratio(found):.2f}")
    claims = f"{count(pairs, 'hit')} of relevance {LEAST_RELEVANCE} or more"
    _print_row("calibration", f"{found.calibration_error:.3f}", f"mean error of relevance, {claims}")
    out(_OWN_CAPTIONS_NOTE)


def _print_matches(found: "LabelQuality | RelevanceQuality") -> None:
    _print_row("precision", _estimate(found.precision), f"of relevance {found.cutoff} or more")
    _print_row("recall", _estimate(found.recall))
    _print_row("F1", _estimate(found.f1))


def _print_row(title: str, figure: str, remark: str = "") -> None:
    out(f"{title:<13} {figure:<25} {remark}".rstrip())
