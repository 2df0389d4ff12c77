"""Colour text for terminals that have colours; whatever goes elsewhere stays plain."""

import os
import sys
from typing import Literal, TextIO

Style = Literal["bold", "faint", "green", "red"]

# Source: ECMA-48, 8.3.117 (SGR).
_CODES: dict[Style, int] = {"bold": 1, "faint": 2, "green": 32, "red": 31}


def has_colours(stream: TextIO | None) -> bool:
    """Return whether text for a stream is coloured.

    NO_COLOR (https://no-color.org) goes before FORCE_COLOR and CLICOLOR_FORCE (https://bixense.com/clicolors), those
    before TERM=dumb and a stream that is no terminal.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "0") not in {"", "0"} for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    if stream is None or not stream.isatty() or os.environ.get("TERM") == "dumb":
        return False
    # The old console of Windows shows codes as text; its terminal sets a variable.
    return sys.platform != "win32" or "WT_SESSION" in os.environ or "TERM" in os.environ


def coloured(text: str, style: Style, stream: TextIO | None) -> str:
    """Return a text in a style, unchanged when it is empty or its stream has no colours."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if text and has_colours(stream) else text
