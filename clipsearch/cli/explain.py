"""Implement clipsearch explain."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from clipsearch.cli.captions import open_encoder
from clipsearch.cli.index import is_terminal
from clipsearch.cli.options import (
    AllowUrlOption,
    CatalogOption,
    DeviceOption,
    JsonOption,
    ModelOption,
    PrecisionOption,
    RuntimeOption,
)
from clipsearch.cli.picture_argument import load_picture
from clipsearch.cli.render import note, out, print_json, shown_path
from clipsearch.cli.viewing import check_drawing, write_drawing
from clipsearch.types import ModelOptions

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder
    from clipsearch.encoders.embed_image import PictureSource
    from clipsearch.gallery.heat_map import HeatMap

_SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def explain(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="The picture to explain.")],
    words: Annotated[str, typer.Argument(metavar="WORDS", help="The words to locate in it, or a concept: @rex.")],
    out_file: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write the picture with the heat map: .png, .jpg or .webp.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    allow_url: AllowUrlOption = False,
    json: JsonOption = False,
) -> None:
    """Locate words in a picture: best place and heat map."""
    from clipsearch.text import check_text

    check_text(words, "text")
    path = None if out_file is None else check_drawing(out_file, kind="a map", suffixes=_SUFFIXES, force=force)
    picture = load_picture(image, allow_url=allow_url)
    options = ModelOptions(model, device, runtime, is_terminal(), precision)
    heat_map, encoder = _locate(words, picture, catalog, options)
    if path is not None:
        from clipsearch.encoders.embed_image import read_picture
        from clipsearch.gallery.heat_map import draw_heat_map

        # Full size, up to the size of a screen.
        shown, _ = read_picture(picture, replace(encoder.preprocess, shortest_edge=1024))
        shown.thumbnail((2048, 2048))
        write_drawing(path, draw_heat_map(heat_map, shown), _SUFFIXES[path.suffix.lower()])
    across, down = heat_map.peak
    if json:
        rows = [[round(float(score), 4) for score in row] for row in heat_map.scores]
        print_json(
            {
                "image": image, "model": encoder.name, "words": words, "score": heat_map.score,
                "level": heat_map.level,
                "peak": [round(place, 4) for place in heat_map.peak],
                "box": [round(edge, 4) for edge in heat_map.box], "scores": rows,
            }
        )  # fmt: skip
    else:
        out(f"{_describe_position(across, down)}  {100 * across:.0f} % from the left, {100 * down:.0f} % from the top")
        best = float(heat_map.scores.max())
        note(f"score there {best:.3f}, of the whole picture {heat_map.score:.3f}, of other words {heat_map.level:.3f}")
        if path is not None:
            note(f"map: {shown_path(str(path))}")


def _locate(
    words: str, picture: "PictureSource", catalog: str | None, options: ModelOptions
) -> "tuple[HeatMap, Encoder]":
    """Compute the heat map, and return it with the model. Only a concept needs a catalog."""
    from clipsearch.catalog import Catalog
    from clipsearch.encoders.bank import load_bank
    from clipsearch.gallery.heat_map import make_heat_map
    from clipsearch.query.tokens import find_concept

    named = (options.name, options.device, options.runtime, options.precision)
    if find_concept(words.strip()) is not None:
        name, device, runtime, precision = named
        with Catalog.open(
            catalog, model=name, device=device, runtime=runtime, precision=precision, show_progress=is_terminal()
        ) as opened:
            return opened.heat_map(picture, words), opened.encoder
    with open_encoder(catalog, *named) as encoder:
        bank = load_bank(fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=lambda: encoder)
        text = encoder.encode_texts([words])[0]
        return make_heat_map(picture, words, text, encoder=encoder, bank=bank), encoder


def _describe_position(across: float, down: float) -> str:
    """Describe a position in words, by thirds of the picture."""
    row = ("upper", "", "lower")[min(2, int(3 * down))]
    column = ("left", "", "right")[min(2, int(3 * across))]
    return f"{row} {column}".strip() or "middle"
