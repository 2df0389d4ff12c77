"""Implement clipsearch eval."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipsearch import paths
from clipsearch.cli.index import is_terminal
from clipsearch.cli.options import CatalogOption, DeviceOption, JsonOption, ModelOption, PrecisionOption, RuntimeOption
from clipsearch.cli.quality import (
    comparison_json,
    labels_json,
    print_comparison,
    print_labels,
    print_relevance,
    print_retrieval,
    relevance_json,
    retrieval_json,
)
from clipsearch.cli.render import note, note_left_out, print_json, printable, shown_path
from clipsearch.cli.viewing import check_drawing, write_drawing
from clipsearch.errors import InputError

if TYPE_CHECKING:
    from clipsearch.types import SkippedFile


def evaluate(
    captions: Annotated[
        Path,
        typer.Argument(
            metavar="CAPTIONS",
            help="A file of pictures with captions: .jsonl, .csv or .tsv (image, caption), .json (COCO). Paths are "
            "relative to the file.",
        ),
    ],
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="Resolve relative paths of pictures in DIR.", show_default=False),
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--compare",
            metavar="A B",
            help="Compare two models, as in NAME@int8: whether B is better.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        bool,
        typer.Option("--labels", help="Evaluate zero-shot classification, with the captions as labels."),
    ] = False,
    relevance: Annotated[
        bool, typer.Option("--relevance", help="Evaluate matches and the calibration of relevance.")
    ] = False,
    diagram: Annotated[
        str | None,
        typer.Option(
            "--diagram", metavar="FILE", help="Draw a reliability diagram, .png, with --relevance.", show_default=False
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    json: JsonOption = False,
) -> None:
    """Evaluate retrieval of pictures by captions and vice versa.

    The catalog is read-only.
    """
    from clipsearch.captions.files import unit_of
    from clipsearch.captions.pairs import read_caption_pairs
    from clipsearch.evaluation import compare_models, evaluate_labels, evaluate_pairs, evaluate_relevance

    _check_options(compare, labels, relevance, model=model, diagram=diagram)
    drawn = None if diagram is None else check_drawing(diagram, kind="a diagram", suffixes={".png"}, force=force)
    content = read_caption_pairs(captions, folder=None if images is None else paths.folder_path(images))
    broken = [{"line": number, "reason": reason} for number, reason in content.broken]
    note_left_out([f"{captions}, {unit_of(captions)} {number}: {reason}" for number, reason in content.broken])
    options: dict[str, Any] = {
        "device": device,
        "runtime": runtime,
        "precision": precision,
        "on_stage": (lambda what: note(f"clipsearch: {what} …")) if is_terminal() else None,
        "show_progress": is_terminal(),
    }
    skipped: Sequence[SkippedFile]
    if compare is not None:
        compared = compare_models(content.pairs, *compare, **options)
        skipped, row, show = compared.a.skipped, comparison_json(compared), partial(print_comparison, compared)
    elif labels:
        labelled = evaluate_labels(content.pairs, catalog=catalog, model=model, **options)
        skipped, row, show = labelled.skipped, labels_json(labelled), partial(print_labels, labelled)
    elif relevance:
        judged = evaluate_relevance(content.pairs, catalog=catalog, model=model, **options)
        skipped, row, show = judged.skipped, relevance_json(judged), partial(print_relevance, judged)
        if drawn is not None:
            from clipsearch.evaluation.reliability_diagram import draw_reliability

            write_drawing(drawn, draw_reliability({printable(judged.model): judged.reliability}), "PNG")
    else:
        quality = evaluate_pairs(content.pairs, catalog=catalog, model=model, **options)
        skipped, row, show = quality.skipped, retrieval_json(quality), partial(print_retrieval, quality)
    note_left_out([f"{file.path}: {file.reason}" for file in skipped])
    if json:
        print_json(row | {"broken": broken})
    else:
        show()
        if drawn is not None:
            note(f"diagram: {shown_path(str(drawn))}")


def _check_options(
    compare: tuple[str, str] | None, labels: bool, relevance: bool, *, model: str | None, diagram: str | None
) -> None:
    """Check the combination of options.

    Raises:
        InputError: options that exclude each other.
    """
    if compare is not None and (labels or relevance or model is not None):
        raise InputError("--compare names both models and can't be combined with --model, --labels or --relevance")
    if labels and relevance:
        raise InputError("--labels and --relevance exclude each other: choose one")
    if diagram is not None and not relevance:
        raise InputError("--diagram requires --relevance: give both")
