"""clipsearch explain"""

import io
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from clipsearch.cli.captions import open_encoder
from clipsearch.cli.options import AllowUrlOption, CatalogOption, DeviceOption, JsonOption, ModelOption, RuntimeOption
from clipsearch.cli.render import note, out, print_json, printable, shown_path
from clipsearch.cli.urls import picture_of
from clipsearch.errors import InputError
from clipsearch.files import is_replaced
from clipsearch.settings import expand_user

_SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def explain(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="A picture.")],
    words: Annotated[str, typer.Argument(metavar="WORDS", help="What to look for in it.")],
    out_file: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write the picture with the map over it: .png, .jpg or .webp.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    allow_url: AllowUrlOption = False,
    json: JsonOption = False,
) -> None:
    """Where in a picture words are found: the place that fits them best, and a map of all places."""
    from clipsearch.files import write_file
    from clipsearch.heat_maps import make_heat_map
    from clipsearch.texts import check_text

    check_text(words, "text")
    path = None if out_file is None else _checked_file(out_file, force)
    picture = picture_of(image, allow_url=allow_url)
    with open_encoder(catalog, model, device, runtime) as encoder:
        heat_map = make_heat_map(picture, words, encoder.encode_texts([words])[0], encoder=encoder)
    if path is not None:
        from clipsearch.heat_pictures import draw_heat_map
        from clipsearch.query_pictures import read_picture

        # As large as it is, up to what fits on a screen.
        shown, _ = read_picture(picture, replace(encoder.preprocess, shortest_edge=1024))
        shown.thumbnail((2048, 2048))
        drawn = io.BytesIO()
        draw_heat_map(heat_map, shown).save(drawn, _SUFFIXES[path.suffix.lower()])
        try:
            write_file(path, drawn.getvalue())
        except OSError as error:
            raise InputError(f"can't write {path}: {error.strerror or error}") from error
    across, down = heat_map.peak
    if json:
        rows = [[round(float(score), 4) for score in row] for row in heat_map.scores]
        print_json(
            {
                "image": image, "model": encoder.name, "words": words, "score": heat_map.score,
                "best": [round(edge, 4) for edge in heat_map.best], "scores": rows,
            }
        )  # fmt: skip
    else:
        out(f"{_place(across, down)}  {100 * across:.0f} % from the left, {100 * down:.0f} % from the top")
        note(f"score there {float(heat_map.scores.max()):.3f}, of the whole picture {heat_map.score:.3f}")
        if path is not None:
            note(f"map: {shown_path(str(path))}")


def _checked_file(name: str, force: bool) -> Path:
    path = expand_user(name)
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"a map is a picture: call it {printable(path.name)}.png instead of {printable(path.name)}")
    try:
        if not path.parent.is_dir():
            raise InputError(f"no folder {printable(str(path.parent))} to write {printable(path.name)} in")
        if is_replaced(path) and not force:
            raise InputError(f"{printable(name)} is there already: --force replaces it")
    except (OSError, ValueError) as error:
        raise InputError(f"can't write {printable(name)}: {getattr(error, 'strerror', None) or error}") from error
    return path


def _place(across: float, down: float) -> str:
    """In words: by thirds."""
    row = ("upper", "", "lower")[min(2, int(3 * down))]
    column = ("left", "", "right")[min(2, int(3 * across))]
    return f"{row} {column}".strip() or "middle"
