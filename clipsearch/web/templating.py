"""Render the page templates."""

from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from clipsearch.parts import clock
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.web.static_files import static_url

_FOLDER = Path(__file__).parent


def render(template: str, /, *, status_code: int = 200, **context: Any) -> Response:
    """Render a page or a fragment; invalid UTF-8 in file names becomes "?"."""
    text = _templates().get_template(template).render(**context)
    return HTMLResponse(text.encode("utf-8", "replace"), status_code=status_code)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals |= {"static": static_url, "cutoff": DEFAULT_CUTOFF}
    templates.filters |= {"size": _size, "duration": clock, "sentence": _sentence}
    return templates


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:]}{'' if message.endswith(('.', '?', '!', '…')) else '.'}"


def _size(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} KB"
