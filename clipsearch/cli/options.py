"""Options that several commands take."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clipsearch.images.decode import DecodingLimits

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

CatalogOption = Annotated[
    str | None,
    typer.Option(
        "--catalog",
        metavar="DIR",
        help="The catalog's folder, or postgresql+psycopg://HOST/DATABASE. Also CLIPSEARCH_CATALOG; default: the "
        "platform's data folder.",
        show_default=False,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="'starter', a hub id such as openai/clip-vit-base-patch32, or a directory. Default: the catalog's model.",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", metavar="NAME", help="cpu, cuda, mps. Default: the best there is.", show_default=False),
]
RuntimeOption = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        metavar="NAME",
        help="torch or openvino: what runs the model. Default: OpenVINO where it can.",
        show_default=False,
    ),
]
AllowUrlOption = Annotated[
    bool,
    typer.Option("--allow-url", help="Fetch a picture given as a URL, http or https. Also CLIPSEARCH_ALLOW_URL=1."),
]
MaxMegapixelsOption = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help="Skip larger pictures. Default: 256, less where memory is short.",
        show_default=False,
    ),
]
MaxSecondsOption = Annotated[
    int, typer.Option(metavar="N", help="Skip pictures that take longer to decode, of processor time.")
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait until no other clipsearch changes the catalog, instead of stopping.")
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TopKOption = Annotated[int, typer.Option("-k", "--top-k", min=1, metavar="N", help="Number of results.")]


def decoding_limits(max_megapixels: float | None, max_seconds: int) -> "DecodingLimits":
    from clipsearch.images.decode import default_limits

    limits = default_limits()
    return replace(
        limits,
        max_seconds=max_seconds,
        max_megapixels=limits.max_megapixels if max_megapixels is None else max_megapixels,
    )
