"""Implement clipsearch model list | recommend | pull | use | inspect."""

from dataclasses import asdict
from typing import Annotated

import typer

from clipsearch import paths, settings
from clipsearch.cli import model_list
from clipsearch.cli.index import ProgressBar, is_terminal
from clipsearch.cli.options import (
    INTERRUPTED,
    AllowUrlOption,
    CatalogOption,
    DeviceOption,
    JsonOption,
    MaxMegapixelsOption,
    MaxSecondsOption,
    PrecisionOption,
    RuntimeOption,
    WaitOption,
    decoding_limits,
)
from clipsearch.cli.picture_argument import load_picture
from clipsearch.cli.render import out, percent, print_json, print_report, printable, report_json
from clipsearch.errors import CatalogNotFoundError, InputError
from clipsearch.settings import STARTER
from clipsearch.types import ModelInfo

app = typer.Typer(help="Manage the models that embed pictures and text.", no_args_is_help=True, rich_markup_mode=None)

ModelName = Annotated[
    str, typer.Argument(metavar="NAME", help="'starter', a hub id with optional @revision, or a directory.")
]


@app.command("list")
def list_(catalog: CatalogOption = None, json: JsonOption = False) -> None:
    """List supported models, with what each finds and costs, and those of this catalog.

    The best published recall comes first.
    """
    used = _models_of(catalog)
    rows = model_list.find_rows(used)
    if json:
        print_json({"models": model_list.rows_json(rows, used)})
    else:
        model_list.print_rows(rows, used)


@app.command("recommend")
def recommend(json: JsonOption = False) -> None:
    """Recommend two models for this machine: for everyday, and better.

    Examines processor, GPU, memory, disk and the locale's language. Downloads nothing.
    """
    from clipsearch.encoders import recommend as recommending
    from clipsearch.encoders.machine import examine_machine

    machine = examine_machine()
    found = recommending.recommend(machine, recommending.find_candidates(machine))
    if json:
        print_json(
            {
                "machine": model_list.machine_json(machine),
                "models": model_list.recommendations_json(found),
            }
        )
    else:
        model_list.print_recommendations(machine, found)


def _models_of(catalog: str | None) -> dict[str, ModelInfo]:
    from clipsearch.catalog import Catalog

    try:
        with Catalog.open(catalog) as opened:
            return {model.name: model for model in opened.admin.status().models}
    except CatalogNotFoundError:
        return {}


@app.command("pull")
def pull(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A hub id with optional @revision. Default: the catalog's.")
    ] = None,
    catalog: CatalogOption = None,
) -> None:
    """Download a model, compile it, and print its directory.

    An interrupted download is resumed.
    """
    from clipsearch.encoders.hub.known_models import DEFAULT_MODEL
    from clipsearch.encoders.load import prepare_model

    if name == "":
        raise InputError("the model name is empty: omit it for the catalog's model")
    name = name or next((model for model, info in _models_of(catalog).items() if info.is_current), DEFAULT_MODEL)
    if name == STARTER:
        out("starter is bundled with clipsearch")
    else:
        out(str(prepare_model(name, show_progress=is_terminal())))


@app.command("use")
def use(
    name: ModelName,
    catalog: CatalogOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    max_megapixels: MaxMegapixelsOption = None,
    max_seconds: MaxSecondsOption = settings.DEFAULT_MAX_SECONDS,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> int:
    """Switch the catalog to another model.

    Embeds the pictures and captions that this model has not embedded yet. Until the end, other processes and the page
    answer with the previous model. Embeddings of other models are kept.
    """
    from clipsearch.catalog import Catalog

    limits = decoding_limits(max_megapixels, max_seconds)
    with (
        ProgressBar() as bar,
        Catalog.open(
            catalog, device=device, runtime=runtime, precision=precision, create=True, show_progress=is_terminal()
        ) as opened,
    ):
        before = opened.admin.status().model
        report = opened.use_model(name, limits=limits, wait=wait, on_progress=bar.update)
        models = opened.admin.status().models
    gain = model_list.find_gain(before, report.model, models)
    if json:
        print_json({**report_json(report), "gain": None if report.interrupted else asdict(gain)})
    else:
        print_report(report)
        if not report.interrupted:
            out(f"this catalog now uses {printable(report.model)}")
            model_list.print_gain(gain)
    return INTERRUPTED if report.interrupted else 0


@app.command("inspect")
def inspect(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A model. Default: the catalog's, else the default model.")
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", metavar="TEXT", help="Trace this text; repeat it to compare probabilities."),
    ] = None,
    image: Annotated[str | None, typer.Option("--image", metavar="FILE", help="Trace this picture.")] = None,
    catalog: CatalogOption = None,
    device: DeviceOption = None,
    allow_url: AllowUrlOption = False,
    json: JsonOption = False,
) -> None:
    """Trace a text and a picture through the model.

    Prints every stage with its output shape.
    """
    from clipsearch.cli.captions import open_encoder
    from clipsearch.encoders.embed_image import picture_crop
    from clipsearch.encoders.load import runs_with_torch
    from clipsearch.encoders.tracing import Stage, walk

    shown = str(paths.sample_data_folder() / "food" / "donut.png") if image is None else image
    picture = load_picture(shown, allow_url=allow_url)
    used = next((model for model, info in _models_of(catalog).items() if info.is_current), settings.model_name())
    # Only models that run in transformers can be traced.
    runtime = "torch" if (name or used) is None or runs_with_torch(str(name or used)) else None
    texts = text or ["a photo of a donut", "a photo of a cat", "a photo of a car", "a photo of a noodle"]
    with open_encoder(catalog, name, device, runtime, "auto") as encoder:
        found = walk(encoder, texts, picture_crop(picture, encoder.preprocess))
    if json:
        print_json(
            {
                "model": found.model_name,
                "image": shown,
                "text": found.text,
                "text_stages": [asdict(stage) for stage in found.text_stages],
                "image_stages": [asdict(stage) for stage in found.image_stages],
                "logit_scale": found.head.logit_scale,
                "head": found.head.kind,
                "captions": [asdict(candidate) for candidate in found.candidates],
            }
        )
        return

    def show(stages: tuple[Stage, ...]) -> None:
        for stage in stages:
            shape = "(" + ", ".join(map(str, stage.shape)) + ("," if len(stage.shape) == 1 else "") + ")"
            ids = " ".join(f"{value:.0f}" for value in stage.values) if stage.name == "token ids" else ""
            out(f"  {stage.name:<34} {shape:<18} {ids or stage.note}".rstrip())

    out(f"{printable(found.model_name)}: {encoder.dim} dimensions, up to {encoder.context_length} tokens")
    out(f'\ntext "{printable(found.text)}"')
    show(found.text_stages)
    out(f"\npicture {printable(shown)}")
    show(found.image_stages)
    bias = f" + {found.head.logit_bias:.3f}" if found.head.kind == "sigmoid" else ""
    out(f"\n  probability = {found.head.kind}({found.head.logit_scale:.2f} · cosine{bias})")
    for candidate in found.candidates:
        out(
            f"  cosine {candidate.cosine:6.3f}  logit {candidate.logit:7.2f}  {percent(candidate.probability)}  "
            f"{printable(candidate.text)}"
        )
