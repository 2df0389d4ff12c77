"""Implement clipsearch label, labels add | list | show | remove."""

import csv as csv_library
import io
import json as json_library
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from clipsearch.cli.index import ProgressBar, is_terminal
from clipsearch.cli.options import (
    INTERRUPTED,
    CatalogOption,
    DeviceOption,
    JsonOption,
    ModelOption,
    PrecisionOption,
    RuntimeOption,
    TopKOption,
)
from clipsearch.cli.render import note, note_left_out, out, percent, print_json, printable, shown_path, write
from clipsearch.errors import InputError, QueryError
from clipsearch.paths import is_folder_url
from clipsearch.quantities import count
from clipsearch.types import LabelHit, LabelledPicture

app = typer.Typer(help="Manage label sets for zero-shot labelling.", no_args_is_help=True, rich_markup_mode=None)

LABELS_HELP = "Label sets: coco, lvis, cifar10, cifar100, scenes, colours, or an added one."


def label(
    folders: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FOLDER]...", help="Folders of pictures; new files are indexed. Default: all pictures."
        ),
    ] = None,
    labels: Annotated[str, typer.Option("--labels", metavar="NAME", help=LABELS_HELP)] = "lvis",
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    top_k: TopKOption = 5,
    min_relevance: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="R",
            help="Omit labels of lower relevance, 0 to 1. Default: 0.3.",
            show_default=False,
        ),
    ] = None,
    write_xmp: Annotated[bool, typer.Option("--write-xmp", help="Add labels as keywords to XMP sidecars.")] = False,
    json: JsonOption = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print a JSON object per line, for each picture.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
) -> int:
    """Label the pictures of folders.

    Prints, for each picture, the labels of a set that stand out.
    """
    from clipsearch.catalog import Catalog
    from clipsearch.scoring.relevance import DEFAULT_CUTOFF

    if json + jsonl + csv > 1:
        raise InputError("choose one output format: --json, --jsonl or --csv")
    with (
        ProgressBar() as bar,
        Catalog.open(
            catalog,
            model=model,
            device=device,
            runtime=runtime,
            precision=precision,
            create=bool(folders),
            show_progress=is_terminal(),
        ) as opened,
    ):
        cutoff = DEFAULT_CUTOFF if min_relevance is None else min_relevance
        # Before anything is indexed, so that a wrong name changes nothing.
        opened.labels.get(labels)
        if folders and opened.index(*folders, on_progress=bar.update).interrupted:
            return INTERRUPTED
        pictures = opened.labels.assign_all(*(folders or []), labels=labels, top_k=top_k, min_relevance=cutoff)
        failed: list[str] = []
        named = _write_sidecars(pictures, failed) if write_xmp else pictures
        if json:
            rows = [_row(picture) for picture in named]
            print_json({"labels": labels, "model": opened.model.name, "pictures": rows})
        elif jsonl:
            for picture in named:
                out(json_library.dumps(_row(picture), ensure_ascii=True))
        elif csv:
            _print_csv(named)
        else:
            _print_table(named)
    for reason in failed:
        note(f"clipsearch: {reason}")
    return 1 if failed else 0


def _write_sidecars(pictures: Iterable[LabelledPicture], failed: list[str]) -> Iterator[LabelledPicture]:
    """Write the sidecar of each picture and pass the picture on; errors are collected in `failed`."""
    from clipsearch.images.xmp.sidecars import add_keywords

    for picture in pictures:
        try:
            if picture.labels and is_folder_url(picture.path):
                raise InputError(f"{picture.path} is a URL: can't write a sidecar there")
            if picture.labels:
                add_keywords(Path(picture.path), [hit.label for hit in picture.labels])
        except InputError as error:
            failed.append(str(error))
        yield picture


def _row(picture: LabelledPicture) -> dict[str, Any]:
    return asdict(picture)


def _print_csv(pictures: Iterable[LabelledPicture]) -> None:
    text = io.StringIO(newline="")
    table = csv_library.writer(text)
    table.writerow(("path", "rank", "label", "score", "relevance"))
    for picture in pictures:
        table.writerows((picture.path, hit.rank, hit.label, hit.score, hit.relevance) for hit in picture.labels)
    write(text.getvalue().encode("utf-8", "surrogateescape"))


def _print_table(pictures: Iterable[LabelledPicture]) -> None:
    total = unlabelled = 0
    for picture in pictures:
        total += 1
        unlabelled += not picture.labels
        words = ", ".join(printable(hit.label) for hit in picture.labels)
        out(f"{shown_path(picture.path)}  {words or '-'}")
    if unlabelled:
        note(f"clipsearch: {unlabelled:,} of {count(total, 'picture')} have no label of sufficient relevance")


def print_labels(hits: list[LabelHit]) -> None:
    for hit in hits:
        out(f"{hit.rank:>4}  {percent(hit.relevance)}  {hit.score:.3f}  {printable(hit.label)}")


@app.command("add")
def add(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A file of labels: .txt (one per line), .csv or .tsv (column 'label' or 'text'), .jsonl (key 'label' "
            "or 'text'), .json (a list).",
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name the label set. Default: the file's name.")
    ] = None,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Store a label set, replacing one of the same name."""
    from clipsearch.captions.files import LABELS, read_caption_file, unit_of
    from clipsearch.catalog import Catalog

    content = read_caption_file(file, LABELS)
    note_left_out([f"{file}, {unit_of(file)} {number}: {reason}" for number, reason in content.broken])
    set_name = file.stem if name is None else name
    with Catalog.open(catalog, create=True) as opened:
        added = opened.labels.add(set_name, content.texts)
    if json:
        broken = [{"line": number, "reason": reason} for number, reason in content.broken]
        print_json({"name": set_name, "labels": added, "broken": broken})
    else:
        out(f"{count(added, 'label')} as {printable(set_name)}")


@app.command("list")
def list_(catalog: CatalogOption = None, json: JsonOption = False) -> None:
    """List the label sets, built-in and added ones."""
    from clipsearch.catalog import Catalog
    from clipsearch.data import BUILT_IN, built_in_labels
    from clipsearch.errors import CatalogNotFoundError

    sets = {name: (len(built_in_labels(name)), True) for name in BUILT_IN}
    try:
        with Catalog.open(catalog) as opened:
            sets |= {name: (number, False) for name, number in opened.labels.names().items()}
    except CatalogNotFoundError:
        pass
    if json:
        rows = [
            {"name": name, "labels": number, "built_in": is_built_in} for name, (number, is_built_in) in sets.items()
        ]
        print_json({"label_sets": rows})
    else:
        for name, (number, is_built_in) in sets.items():
            out(f"{number:>6,}  {printable(name)}{'' if is_built_in else '  (added)'}")


@app.command("show")
def show(name: Annotated[str, typer.Argument(metavar="NAME", help=LABELS_HELP)], catalog: CatalogOption = None) -> None:
    """Print the labels of a set, one per line."""
    from clipsearch.catalog import Catalog
    from clipsearch.errors import CatalogNotFoundError
    from clipsearch.labels.sets import find_labels

    try:
        with Catalog.open(catalog) as opened:
            texts = opened.labels.get(name)
    except CatalogNotFoundError:
        texts = find_labels(name, None)
    for text in texts:
        out(printable(text))


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An added label set.")],
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Remove an added label set."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        was_removed = opened.labels.remove(name)
    if not was_removed:
        raise QueryError(f"no label set {name!r} was added: see 'clipsearch labels list'")
    if json:
        print_json({"removed": name})
    else:
        out(f"{printable(name)} removed")
