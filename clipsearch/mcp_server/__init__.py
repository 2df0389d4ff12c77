"""Serve the catalog to assistants over the Model Context Protocol, as tools that return text and pictures.

Source: https://modelcontextprotocol.io/specification; the server comes from the package `mcp`, version 2.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

from clipsearch.catalog import Catalog
from clipsearch.errors import ClipSearchError
from clipsearch.mcp_server.overview_tools import add_overview_tools
from clipsearch.mcp_server.picture_tools import add_picture_tools
from clipsearch.mcp_server.search_tools import add_search_tools
from clipsearch.mcp_server.sheet_tools import add_sheet_tools
from clipsearch.notices import message_for_others
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.version import __version__

_LOG = logging.getLogger("clipsearch.mcp")

_INSTRUCTIONS = (
    "Searches the user's own pictures, on this machine, by what they show. A result's relevance is the "
    f"probability, 0 to 1, that it matches the query; below {DEFAULT_CUTOFF:g} it is likely something else. Pictures "
    "have numeric ids. A last line 'next: CURSOR' says that there is more: call the tool again with the same arguments "
    "and after=CURSOR. contact_sheet shows many pictures at the cost of one."
)

_READS_ONLY = ToolAnnotations(read_only_hint=True, open_world_hint=False)


def make_server(catalog: Catalog) -> "MCPServer[Any]":
    """Create the MCP server of a catalog that was opened with `shared=True`."""
    server: MCPServer[Any] = MCPServer("clipsearch", version=__version__, instructions=_INSTRUCTIONS, log_level="ERROR")

    def tool(description: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            wrapped = _report_errors(function, catalog)
            return server.tool(description=description, annotations=_READS_ONLY, structured_output=False)(wrapped)

        return add

    add_search_tools(tool, catalog)
    add_sheet_tools(tool, catalog)
    add_picture_tools(tool, catalog)
    add_overview_tools(tool, catalog)
    return server


def _report_errors(function: Callable[..., Any], catalog: Catalog) -> Callable[..., Any]:
    """Wrap a tool so that its expected errors reach the assistant, which may correct its request."""

    @functools.wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            catalog.admin.check_place()
            return function(*arguments, **options)
        except (ClipSearchError, OSError) as error:
            raise ToolError(message_for_others(error, _LOG)) from error

    return wrapped
