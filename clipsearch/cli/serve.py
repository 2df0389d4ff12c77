"""Implement clipsearch serve and clipsearch mcp."""

from typing import Annotated

import typer

from clipsearch.cli.index import is_terminal
from clipsearch.cli.options import CatalogOption, DeviceOption, ModelOption, PrecisionOption, RuntimeOption
from clipsearch.cli.render import discard_without_streams, note, out
from clipsearch.errors import MissingExtraError


def serve(
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    host: Annotated[
        str,
        typer.Option("--host", metavar="ADDRESS", help="Listen on this address. Any but 127.0.0.1 requires a token."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="N", help="Listen on this port. 0: any free one.")
    ] = 8123,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="TEXT",
            envvar="CLIPSEARCH_TOKEN",
            help="Require this token. Default: none on 127.0.0.1, else a new random one.",
            show_default=False,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="Accept this host name, or the origin of a proxy, https://NAME; may be repeated.",
        ),
    ] = None,
    index: Annotated[
        bool | None,
        typer.Option(
            "--index/--no-index",
            help="Let clients index folders of this machine, and change concepts, albums and saved searches. Default: "
            "on 127.0.0.1 only.",
            show_default=False,
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Also index what changes in the indexed folders, as clipsearch watch does.")
    ] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve the catalog as web page and HTTP API.

    Stops with Ctrl-C.
    """
    from clipsearch.catalog import Catalog

    try:
        from clipsearch.web.server import ServerOptions
        from clipsearch.web.server import serve as run_server
    except ImportError as error:
        raise MissingExtraError("the web server", error.name or "fastapi", "clipsearch[web]") from error

    discard_without_streams()

    def ready(address: str) -> None:
        out(address)
        note("the page is ready; press Ctrl-C to stop")
        if open_it and typer.launch(address) != 0:
            note("clipsearch: no browser found: open the address above")

    hosts = tuple(allow_host or ())
    options = ServerOptions(host=host, port=port, token=token, hosts=hosts, may_index=index, watch=watch)
    with Catalog.open(
        catalog,
        model=model,
        device=device,
        runtime=runtime,
        precision=precision,
        create=True,
        show_progress=is_terminal(),
        shared=True,
    ) as opened:
        run_server(opened, options, on_ready=ready)


def mcp(
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
) -> None:
    """Serve the catalog to an assistant over MCP.

    Communicates on stdin and stdout; to be started by the assistant's program.
    """
    from clipsearch.catalog import Catalog

    try:
        from clipsearch.mcp_server import make_server
    except ImportError as error:
        raise MissingExtraError("MCP", error.name or "mcp", "clipsearch[mcp]") from error
    with Catalog.open(catalog, model=model, device=device, runtime=runtime, precision=precision, shared=True) as opened:
        make_server(opened).run("stdio")
