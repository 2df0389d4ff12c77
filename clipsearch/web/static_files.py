"""Serve styles, scripts and icons from memory, without a thread and without disk access."""

import mimetypes
from functools import cache
from hashlib import sha256
from pathlib import Path

from fastapi import Request
from fastapi.responses import Response

from clipsearch.web.errors import answer

_FOLDER = Path(__file__).parent / "static"


def static_url(name: str) -> str:
    """Return the URL of a file, with a hash of its content so that browsers may cache it."""
    return f"/static/{name}?v={_files()[name][1]}"


async def static_file(name: str, request: Request) -> Response:
    """Serve a static file, cacheable when its URL has a version."""
    found = _files().get(name)
    if found is None:
        return answer(404, "Not Found")
    content, version = found
    headers = {"ETag": f'"{version}"'}
    if request.url.query:
        headers["Cache-Control"] = "private, max-age=31536000, immutable"
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    media_type = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0]
    return Response(content, media_type=media_type or "application/octet-stream", headers=headers)


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Read all static files: name → content and version."""
    contents = {
        path.relative_to(_FOLDER).as_posix(): path.read_bytes() for path in _FOLDER.rglob("*") if path.is_file()
    }
    return {name: (content, sha256(content).hexdigest()[:12]) for name, content in contents.items()}
