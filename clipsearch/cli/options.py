"""Define the options that several commands share."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clipsearch.images.decode import DecodingLimits

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What commands are told of the command line.

    Attributes:
        is_plain: it names no command, as in `clipsearch "a cat"`.
    """

    is_plain: bool = False


CatalogOption = Annotated[
    str | None,
    typer.Option(
        "--catalog",
        metavar="DIR",
        help="Use this catalog: a folder, or postgresql+psycopg://HOST/DATABASE. Also CLIPSEARCH_CATALOG; default: the "
        "platform's data folder.",
        show_default=False,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Use this model: 'starter', a hub id such as openai/clip-vit-base-patch32, or a directory. Default: the "
        "catalog's model.",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="Use cpu, cuda or mps. Default: the best available.",
        show_default=False,
    ),
]
RuntimeOption = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        metavar="NAME",
        help="Run the model with torch or openvino. Default: OpenVINO if supported.",
        show_default=False,
    ),
]
OcrOption = Annotated[
    bool | None,
    typer.Option("--ocr/--no-ocr", help="Also read the text in pictures; or not.", show_default=False),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="Calculate in f32, bf16 or int8. Default: auto, the fastest that agrees.",
        show_default=False,
    ),
]
AllowUrlOption = Annotated[
    bool,
    typer.Option("--allow-url", help="Fetch pictures from http and https URLs. Also CLIPSEARCH_ALLOW_URL=1."),
]
MaxMegapixelsOption = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help="Skip larger pictures. Default: 256, less with little memory.",
        show_default=False,
    ),
]
MaxSecondsOption = Annotated[int, typer.Option(metavar="N", help="Skip pictures that take more CPU time to decode.")]
FoldersArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FOLDER]...", help="Folders of pictures. Default: those indexed before."),
]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit with code 5 when files were skipped.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait for the catalog's write lock instead of failing.")]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TopKOption = Annotated[int, typer.Option("-k", "--top-k", min=1, metavar="N", help="Set the number of results.")]


def decoding_limits(max_megapixels: float | None, max_seconds: int) -> "DecodingLimits":
    """Return the default decoding limits with the options applied."""
    from clipsearch.images.decode import default_limits

    limits = default_limits()
    return replace(
        limits,
        max_seconds=max_seconds,
        max_megapixels=limits.max_megapixels if max_megapixels is None else max_megapixels,
    )
