"""Show the file of a picture in the file manager of this machine, for a browser on the same machine alone."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from clipsearch.web.origins import is_loopback, parse_host
from clipsearch.web.schemas import problems
from clipsearch.web.state import Site

_TIMEOUT_S = 10.0

# Headers of proxies, behind which any client can be. Source: RFC 7239, and what came before it.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def make_reveal_api(site: Site) -> APIRouter:
    """Create the router of /api/pictures/ID/reveal."""
    api = APIRouter(prefix="/api", responses=problems())
    catalog = site.catalog

    @site.lanes.thumbnails
    def show(content_id: int) -> None:
        path = next(filter(os.path.lexists, catalog.pictures.get(content_id).paths), None)
        if path is None:
            raise HTTPException(404, "the picture's file is missing: moved, deleted, or on a drive that is not mounted")
        if not reveal_file(path):
            raise HTTPException(501, "no file manager answered on this machine")

    @api.post(
        "/pictures/{id}/reveal",
        summary="Show a picture's file in the file manager of this machine",
        tags=["pictures"],
        status_code=204,
        response_class=Response,
        responses=problems(403, 404, 501),
    )
    async def reveal(id: int, request: Request) -> Response:
        if not (site.may_reveal and is_local(request)):
            raise HTTPException(403, "folders are shown only where the server and the browser are on one machine")
        await show(id)
        return Response(status_code=204)

    return api


def is_local(request: Request) -> bool:
    """Return whether a request comes from this machine, to a name of the loopback and through no proxy."""
    host = parse_host(request.headers.get("host", ""), scheme=request.url.scheme)
    return (
        request.client is not None
        and is_loopback(request.client.host)
        and host is not None
        and is_loopback(host.host)
        and not any(name in request.headers for name in _FORWARDED)
    )


def reveal_file(path: str) -> bool:
    """Show a file of this machine, selected in its folder; return whether a file manager was started or answered."""
    return any(map(_runs, reveal_commands(path, sys.platform)))


def reveal_commands(path: str, platform: str) -> "list[list[str] | str]":
    """Return the commands that show an absolute path, of which the first that works is enough; as text on Windows.

    Args:
        platform: as `sys.platform`.
    """
    if platform == "darwin":
        return [["open", "-R", path]]
    if platform == "win32":
        return [f'explorer /select,"{path}"']  # it divides at commas; no path has a quote there
    # Source: freedesktop.org, "File manager D-Bus interface". A comma would begin another item.
    show = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.FileManager1"]
    show += ["/org/freedesktop/FileManager1", "org.freedesktop.FileManager1.ShowItems"]
    return [
        [*show, f"array:string:file://{quote(os.fsencode(path))}", "string:"],
        ["xdg-open", str(Path(path).parent)],
    ]


def _runs(command: Sequence[str] | str) -> bool:
    with suppress(OSError, ValueError, subprocess.TimeoutExpired):
        ended = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )
        # The explorer returns 1 whatever it does.
        return ended.returncode == 0 or isinstance(command, str)
    return False
