"""Render pictures as HTML for notebooks."""

import base64
from html import escape


def figure_html(content: bytes | None, caption: str, *, title: str = "") -> str:
    """Render a JPEG as a figure with a data URI; all text is escaped.

    Args:
        content: JPEG; None: only the caption is rendered.
        caption: any text, shown below the picture; a lone surrogate becomes "?".
        title: any text, shown on hover; empty: the caption.
    """
    image = ""
    if content is not None:
        data = base64.b64encode(content).decode("ascii")
        image = f'<img src="data:image/jpeg;base64,{data}" alt="{_escaped(caption)}" style="max-width:100%">'
    return (
        f'<figure style="margin:0;max-width:256px" title="{_escaped(title or caption)}">{image}'
        f'<figcaption style="overflow-wrap:anywhere">{_escaped(caption)}</figcaption></figure>'
    )


def _escaped(text: str) -> str:
    return escape(text.encode("utf-8", "replace").decode(), quote=True)
