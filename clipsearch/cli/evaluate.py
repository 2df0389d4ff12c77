"""clipsearch eval"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipsearch import settings
from clipsearch.cli.indexing import is_terminal
from clipsearch.cli.options import CatalogOption, DeviceOption, JsonOption, ModelOption, RuntimeOption
from clipsearch.cli.render import note, note_left_out, out, print_json, printable
from clipsearch.errors import InputError
from clipsearch.quantities import count

if TYPE_CHECKING:
    from clipsearch.evaluation import Difference, Estimate
    from clipsearch.search_quality import LabelQuality, QualityComparison, RetrievalQuality
    from clipsearch.types import SkippedFile


def evaluate(
    captions: Annotated[
        Path,
        typer.Argument(
            metavar="CAPTIONS",
            help="Pictures with their captions: .jsonl, .csv or .tsv (image, caption), .json (COCO). Paths are "
            "relative to the file.",
        ),
    ],
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="Paths of pictures are relative to this.", show_default=False),
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option("--compare", metavar="A B", help="Two models, and whether B is better.", show_default=False),
    ] = None,
    labels: Annotated[
        bool,
        typer.Option("--labels", help="The captions are labels: how often is a picture's own among the first of all?"),
    ] = False,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    json: JsonOption = False,
) -> None:
    """Measure how well pictures are found by their captions, and captions by their pictures. Changes no catalog."""
    from clipsearch.caption_pairs import read_caption_pairs
    from clipsearch.search_quality import compare_models, evaluate_labels, evaluate_pairs

    if compare is not None and (labels or model is not None):
        raise InputError("--compare names both models and goes without --model and --labels")
    content = read_caption_pairs(captions, folder=None if images is None else settings.folder_path(images))
    broken = [{"line": number, "reason": reason} for number, reason in content.broken]
    unit = "entry" if captions.suffix.lower() == ".json" else "line"
    note_left_out([f"{captions}, {unit} {number}: {reason}" for number, reason in content.broken])
    options: dict[str, Any] = {
        "device": device,
        "runtime": runtime,
        "on_stage": (lambda what: note(f"clipsearch: {what} …")) if is_terminal() else None,
        "show_progress": is_terminal(),
    }
    if compare is not None:
        compared = compare_models(content.pairs, *compare, **options)
        _note_skipped(compared.a.skipped)
        if json:
            print_json(_comparison_json(compared) | {"broken": broken})
        else:
            _print_comparison(compared)
    elif labels:
        labelled = evaluate_labels(content.pairs, catalog=catalog, model=model, **options)
        _note_skipped(labelled.skipped)
        if json:
            print_json(_labels_json(labelled) | {"broken": broken})
        else:
            _print_labels(labelled)
    else:
        quality = evaluate_pairs(content.pairs, catalog=catalog, model=model, **options)
        _note_skipped(quality.skipped)
        if json:
            print_json(_quality_json(quality) | {"broken": broken})
        else:
            _print_quality(quality)


def _note_skipped(skipped: "Sequence[SkippedFile]") -> None:
    note_left_out([f"{file.path}: {file.reason}" for file in skipped])


def _quality_json(quality: "RetrievalQuality") -> dict[str, Any]:
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


def _print_quality(quality: "RetrievalQuality") -> None:
    size = f"{count(quality.n_images, 'picture')}, {count(quality.n_captions, 'caption')}"
    out(f"model {printable(quality.model)}, {size}{_skipped_count(quality.skipped)}")
    out(f"{'':<13} {'text → image':<25}  image → text")
    for metric, found in quality.text_to_image.items():
        cells = (_estimate(estimate, metric) for estimate in (found, quality.image_to_text[metric]))
        out(f"{_title(metric):<13} {'  '.join(f'{cell:<25}' for cell in cells)}".rstrip())


def _title(metric: str) -> str:
    return {"mrr": "MRR", "ndcg@10": "nDCG@10"}.get(metric, metric.replace("_", " "))


def _estimate(found: "Estimate", metric: str = "") -> str:
    """The figure and its 95 % interval."""
    form = "g" if metric == "median_rank" else ".3f"
    return f"{found.value:{form}}  ({found.low:{form}} to {found.high:{form}})"


def _skipped_count(skipped: "Sequence[SkippedFile]") -> str:
    return f", {count(len(skipped), 'picture')} left out" if skipped else ""


def _comparison_json(compared: "QualityComparison") -> dict[str, Any]:
    directions = {"text_to_image": compared.text_to_image, "image_to_text": compared.image_to_text}
    differences = {
        name: {metric: _difference_json(found) for metric, found in row.items()} for name, row in directions.items()
    }
    return {"a": _quality_json(compared.a), "b": _quality_json(compared.b), "differences": differences}


def _print_comparison(compared: "QualityComparison") -> None:
    _print_quality(compared.a)
    out()
    _print_quality(compared.b)
    out()
    out(f"{printable(compared.b.model)} less {printable(compared.a.model)}")
    _print_differences("text → image", compared.text_to_image)
    _print_differences("image → text", compared.image_to_text)


def _difference_json(found: "Difference") -> dict[str, Any]:
    return {"difference": found.value, "interval": [found.low, found.high], "p_value": found.p_value}


def _print_differences(title: str, differences: "Mapping[str, Difference]") -> None:
    for metric, found in differences.items():
        interval = f"({found.low:+.3f} to {found.high:+.3f})"
        p_value = "p < 0.001" if found.p_value < 0.001 else f"p = {found.p_value:.3f}"
        out(f"  {title}  {_title(metric):<9} {found.value:+.3f}  {interval}  {p_value}")


def _labels_json(found: "LabelQuality") -> dict[str, Any]:
    estimates = {"top_1": found.top_1, "top_5": found.top_5}
    return {
        "n_images": found.n_images,
        "n_labels": found.n_labels,
        "model": found.model,
        **_values(estimates),
        "intervals": _intervals(estimates),
        "skipped": [asdict(file) for file in found.skipped],
    }


def _print_labels(found: "LabelQuality") -> None:
    size = f"{count(found.n_images, 'picture')}, {count(found.n_labels, 'label')}"
    out(f"model {printable(found.model)}, {size}{_skipped_count(found.skipped)}")
    out(f"top 1         {_estimate(found.top_1)}")
    out(f"top 5         {_estimate(found.top_5)}")
