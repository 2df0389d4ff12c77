"""clipsearch serve, clipsearch mcp"""

from typing import Annotated

import typer

from clipsearch.cli.index import is_terminal
from clipsearch.cli.options import CatalogOption, DeviceOption, ModelOption, RuntimeOption
from clipsearch.cli.render import note, out
from clipsearch.errors import MissingExtraError


def serve(
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="ADDRESS", help="Listen on this address; any but 127.0.0.1 asks visitors for a token."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="N", help="0: any that is free.")] = 8123,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="TEXT",
            envvar="CLIPSEARCH_TOKEN",
            help="What visitors must show. Default: none on 127.0.0.1, else a new one each time.",
            show_default=False,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="A name the machine is asked by, or the address of a proxy's page, https://NAME; may be repeated.",
        ),
    ] = None,
    index: Annotated[
        bool | None,
        typer.Option(
            "--index/--no-index",
            help="Let visitors index folders of this machine. Default: on 127.0.0.1 only.",
            show_default=False,
        ),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Show the catalog as a page in the browser, with an HTTP API beside it. Ends with Ctrl-C."""
    from clipsearch.catalog import Catalog

    try:
        from clipsearch.web.server import ServerOptions
        from clipsearch.web.server import serve as run_server
    except ImportError as error:
        raise MissingExtraError(
            f"the page needs packages that are not installed ({error.name}): pip install {WEB_PACKAGES}"
        ) from error

    def ready(address: str) -> None:
        out(address)
        note("the page is there; Ctrl-C ends it")
        if open_it and typer.launch(address) != 0:
            note("clipsearch: there is no browser here: open the address above")

    options = ServerOptions(host=host, port=port, token=token, hosts=tuple(allow_host or ()), may_index=index)
    with Catalog.open(
        catalog, model=model, device=device, runtime=runtime, create=True, show_progress=is_terminal(), shared=True
    ) as opened:
        run_server(opened, options, on_ready=ready)


WEB_PACKAGES = "fastapi uvicorn python-multipart prometheus-client"


def mcp(
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
) -> None:
    """Answer an assistant that speaks MCP, on stdin and stdout. It is the assistant's program that starts this."""
    from clipsearch.catalog import Catalog

    try:
        from clipsearch.mcp_server import make_server
    except ImportError as error:
        raise MissingExtraError(
            f"MCP needs packages that are not installed ({error.name}): pip install 'mcp>=2,<3'"
        ) from error
    with Catalog.open(catalog, model=model, device=device, runtime=runtime, shared=True) as opened:
        make_server(opened).run("stdio")
