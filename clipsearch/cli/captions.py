"""Implement clipsearch caption, classify, captions add | list | remove."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipsearch import settings
from clipsearch.cli.index import is_terminal
from clipsearch.cli.labels import LABELS_HELP, print_labels
from clipsearch.cli.options import (
    AllowUrlOption,
    CatalogOption,
    DeviceOption,
    JsonOption,
    ModelOption,
    PrecisionOption,
    RuntimeOption,
    TopKOption,
)
from clipsearch.cli.picture_argument import load_picture
from clipsearch.cli.render import (
    captions_json,
    matches_json,
    note,
    note_left_out,
    out,
    print_captions,
    print_json,
    print_matches,
    printable,
)
from clipsearch.errors import CatalogNotFoundError, QueryError
from clipsearch.quantities import count

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder

app = typer.Typer(help="Manage the stored captions.", no_args_is_help=True, rich_markup_mode=None)


def caption(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="The picture to caption, in the catalog or not.")],
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    top_k: TopKOption = 5,
    allow_url: AllowUrlOption = False,
    json: JsonOption = False,
) -> None:
    """Find the stored captions nearest to a picture.

    Prints relevance, probability over all captions, and score.
    """
    from clipsearch.catalog import Catalog
    from clipsearch.scoring.relevance import DEFAULT_CUTOFF, has_match

    with Catalog.open(
        catalog, model=model, device=device, runtime=runtime, precision=precision, show_progress=is_terminal()
    ) as opened:
        hits = opened.caption(load_picture(image, allow_url=allow_url), top_k=top_k)
        used = opened.encoder.name
    is_unmatched = not has_match(hit.relevance for hit in hits)
    if json:
        print_json(captions_json(image, used, hits) | {"none_of_these": is_unmatched})
    else:
        print_captions(hits)
        if is_unmatched:
            note(f"clipsearch: likely none of these: no caption has a relevance of {DEFAULT_CUTOFF:g} or more")


def classify(
    candidates: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE TEXT...", help="A picture and the texts to choose from."),
    ],
    labels: Annotated[
        str | None, typer.Option("--labels", metavar="NAME", help=f"Choose from a label set instead. {LABELS_HELP}")
    ] = None,
    top_k: Annotated[
        int, typer.Option("-k", "--top-k", "--top", min=1, metavar="N", help="Number of labels, with --labels.")
    ] = 5,
    images: Annotated[
        bool,
        typer.Option("--images", help="Choose a picture: TEXT first, then the pictures."),
    ] = False,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    allow_url: AllowUrlOption = False,
    json: JsonOption = False,
) -> None:
    """Choose which of several texts fits a picture best.

    Probabilities add up to 1 for CLIP models.

    clipsearch classify IMAGE TEXT TEXT...

    clipsearch classify TEXT --images IMAGE IMAGE...

    clipsearch classify IMAGE --labels coco
    """
    if labels is not None:
        if images or len(candidates) > 1:
            raise QueryError("with --labels, name one picture and nothing else")
        _classify_by_labels(candidates[0], labels, top_k, catalog, model, device, runtime, precision, allow_url, json)
        return
    from clipsearch.captions.embedding import classify_picture, classify_text

    first, others = candidates[0], candidates[1:]
    if not others:
        what = "pictures after the text" if images else "texts after the picture"
        raise QueryError(f"nothing to choose from: name the {what}")
    pictures = [load_picture(name, allow_url=allow_url) for name in (others if images else [first])]
    with open_encoder(catalog, model, device, runtime, precision) as encoder:
        if images:
            matches = classify_text(first, pictures, encoder=encoder)
            if json:
                print_json(matches_json(first, encoder.name, matches))
            else:
                print_matches(matches)
        else:
            hits = classify_picture(pictures[0], others, encoder=encoder)
            if json:
                print_json(captions_json(first, encoder.name, hits))
            else:
                print_captions(hits)


def _classify_by_labels(
    image: str,
    labels: str,
    top_k: int,
    catalog: str | None,
    model: str | None,
    device: str | None,
    runtime: str | None,
    precision: str | None,
    allow_url: bool,
    json: bool,
) -> None:
    from clipsearch.catalog import Catalog
    from clipsearch.labels.assign import label_without_catalog
    from clipsearch.scoring.relevance import DEFAULT_CUTOFF

    picture = load_picture(image, allow_url=allow_url)
    try:
        with Catalog.open(
            catalog, model=model, device=device, runtime=runtime, precision=precision, show_progress=is_terminal()
        ) as opened:
            hits, used = opened.labels.assign(picture, labels, top_k=top_k), opened.model.name
    except CatalogNotFoundError:
        with open_encoder(catalog, model, device, runtime, precision) as encoder:
            hits, used = label_without_catalog(picture, labels, encoder, top_k=top_k), encoder.name
    is_unmatched = hits[0].relevance < DEFAULT_CUTOFF
    if json:
        rows = [asdict(hit) for hit in hits]
        print_json({"image": image, "model": used, "label_set": labels, "none_of_these": is_unmatched, "labels": rows})
    else:
        print_labels(hits)
        if is_unmatched:
            note("clipsearch: likely none of these: nothing stands out")


@contextmanager
def open_encoder(
    catalog: str | None, model: str | None, device: str | None, runtime: str | None, precision: str | None
) -> "Iterator[Encoder]":
    """Open the named model, else the catalog's, else the default model; a catalog is not required."""
    from clipsearch.catalog import Catalog
    from clipsearch.encoders.load import load_chosen_encoder
    from clipsearch.types import ModelOptions

    with ExitStack() as stack:
        encoder: Encoder | None = None
        if model is None:
            with suppress(CatalogNotFoundError):
                opened = Catalog.open(
                    catalog, device=device, runtime=runtime, precision=precision, show_progress=is_terminal()
                )
                encoder = stack.enter_context(opened).encoder
        options = ModelOptions(model, device, runtime, show_progress=is_terminal(), precision=precision)
        yield encoder or load_chosen_encoder(settings.with_environment(options))


@app.command("add")
def add(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Files of captions: .txt (one per line), .csv or .tsv (column 'caption' or 'text'), .jsonl (key "
            "'caption' or 'text'), .json (COCO, or a list).",
        ),
    ],
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    json: JsonOption = False,
) -> int:
    """Store captions of files.

    Duplicates are stored once; invalid lines are reported and skipped.
    """
    from clipsearch.captions.files import read_caption_file
    from clipsearch.catalog import Catalog

    # All files are read before the first caption is stored, so that a wrong file name changes nothing.
    read = [(file, read_caption_file(file)) for file in files]
    broken = [(file, number, reason) for file, content in read for number, reason in content.broken]
    note_left_out(
        [
            f"{file}, {'entry' if file.suffix.lower() == '.json' else 'line'} {number}: {reason}"
            for file, number, reason in broken
        ]
    )
    with Catalog.open(
        catalog,
        model=model,
        device=device,
        runtime=runtime,
        precision=precision,
        create=True,
        show_progress=is_terminal(),
    ) as opened:
        report = opened.captions.add([text for _, content in read for text in content.texts])
        used = opened.encoder.name
    if json:
        rows = [{"file": str(file), "line": number, "reason": reason} for file, number, reason in broken]
        print_json({"added": report.added, "known": report.known, "broken": rows, "model": used})
    else:
        known = f", {report.known:,} known already" if report.known else ""
        out(f"{count(report.added, 'caption')} added{known}" + (f", {len(broken):,} broken" if broken else ""))
    return 0


@app.command("list")
def list_(catalog: CatalogOption = None, json: JsonOption = False) -> None:
    """List the stored captions, one per line."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        texts = opened.captions.list()
    if json:
        print_json({"captions": texts})
    else:
        for text in texts:
            out(printable(text))


@app.command("remove")
def remove(
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Captions, verbatim.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all captions.")] = False,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Remove stored captions."""
    from clipsearch.catalog import Catalog

    if bool(texts) == everything:
        raise QueryError("name the captions to remove, or use --all")
    with Catalog.open(catalog) as opened:
        removed = opened.captions.remove(None if everything else texts)
    if texts and not removed:
        raise QueryError("no such caption is stored: give it verbatim, see 'clipsearch captions list'")
    if json:
        print_json({"removed": removed})
    else:
        out(f"{count(removed, 'caption')} removed")
