"""Implement clipsearch demo."""

import shlex
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from clipsearch import paths
from clipsearch.cli.commands import make_app
from clipsearch.cli.options import DeviceOption
from clipsearch.cli.render import out, shown_path
from clipsearch.errors import ClipSearchError
from clipsearch.settings import STARTER

CAT = "animals/cat.jpg"
DONUT = "food/donut.png"


def demo(
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="Use this model.")] = (STARTER),
    device: DeviceOption = None,
    catalog: Annotated[
        Path | None,
        typer.Option("--catalog", metavar="DIR", help="Keep the demo's catalog in DIR. Default: a temporary one."),
    ] = None,
) -> int:
    """Index the sample pictures and show what clipsearch does with them."""
    samples = paths.sample_data_folder()
    if not samples.is_dir():
        raise ClipSearchError(f"the sample pictures are missing ({samples}): reinstall clipsearch")
    cat, donut = str(samples / CAT), str(samples / DONUT)
    with tempfile.TemporaryDirectory(prefix="clipsearch-demo-") as scratch:
        place = str(catalog or Path(scratch, "catalog"))
        steps = [
            ("Index a folder of pictures", ["index", str(samples), "--model", model]),
            ("Find a picture by words", ["query", "a glazed donut", "-k", "3"]),
            ("Find pictures like a picture", ["query", cat, "-k", "3"]),
            ("Add captions", ["captions", "add", str(samples / "captions.jsonl")]),
            ("Turn a picture back into words", ["caption", cat, "-k", "3"]),
            (
                "Which of four texts is it?",
                ["classify", donut, *(f"a photo of a {noun}" for noun in ("cat", "car", "noodle", "donut"))],
            ),
            (
                "Which of three pictures is it?",
                [
                    "classify",
                    "a photo of a donut",
                    "--images",
                    *(str(samples / name) for name in (DONUT, "food/pizza.jpg", "travel/bus.jpg")),
                ],
            ),
            ("The same folder again: nothing to do", ["index", str(samples)]),
            ("The catalog", ["status"]),
        ]
        for title, arguments in steps:
            shown = [shown_path(part) if part.startswith(str(samples)) else part for part in arguments]
            out(f"\n# {title}\n$ clipsearch {shlex.join(shown)}")
            extra = ["--device", device] if device and arguments[0] != "status" else []
            app = make_app(arguments)  # that of `demo` has no other command
            code = app([*arguments, "--catalog", place, *extra], prog_name="clipsearch", standalone_mode=False)
            if code:
                return int(code)
    return 0
