"""Draw SVG files, without anything from outside of them: no other file, no network, no script.

The renderer opens files that a picture refers to, and a deeply nested picture overflows its stack. So it never sees the
file itself, only elements, attributes and text that were parsed here, without such references.
"""

import gzip
import io
import re
import zlib
from collections.abc import Mapping
from typing import BinaryIO
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from PIL import Image

from clipsearch.errors import ImageReadError
from clipsearch.images.readers.base import not_supported
from clipsearch.images.reasons import one_line, truncated

# A drawing has no pixels of its own: its longer side is drawn with this many.
LONGER_SIDE = 1024

_MAX_BYTES = 16 << 20
_MAX_DEPTH = 200
_MAX_ELEMENTS = 500_000
# Of entities, as Adobe Illustrator declares for the names of its namespaces. None may hold another.
_MAX_ENTITIES, _MAX_ENTITY = 100, 200

_GZIP = b"\x1f\x8b"
_LEFT_OUT = frozenset({"script", "foreignObject", "iframe", "audio", "video"})
_INNER_REFERENCE = re.compile(r"\s*(#|data:image/(png|jpe?g|gif|webp)\s*[;,])", re.I)


def open_svg(file: BinaryIO) -> Image.Image:
    """Draw an SVG or SVGZ file, its longer side `LONGER_SIDE` pixels; text needs the fonts of the system.

    Raises:
        ImageReadError: it is damaged or larger than a limit, or the extra "svg" is not installed.
    """
    try:
        import resvg_py
    except ImportError as error:
        raise ImageReadError("not supported without an extra: pip install 'clipsearch[svg]'") from error
    drawing = _Drawing(_read(file))
    try:
        png = resvg_py.svg_to_bytes(
            svg_string=drawing.text,
            skip_system_fonts=not drawing.has_text,
            width=LONGER_SIDE,
            height=LONGER_SIDE,
        )
    except ValueError as error:
        raise ImageReadError(f"damaged: {one_line(str(error))}") from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # of Rust; not an Exception
            raise ImageReadError("damaged") from error
        raise
    image = Image.open(io.BytesIO(png), formats=("PNG",))
    image.format = "SVG"
    return image


def _read(file: BinaryIO) -> bytes:
    content = file.read(_MAX_BYTES + 1)
    if content.startswith(_GZIP):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as unpacked:
                content = unpacked.read(_MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise truncated() from error
    if len(content) > _MAX_BYTES:
        raise ImageReadError(f"not supported: SVG of more than {_MAX_BYTES >> 20} MB")
    return content


class _Drawing:
    """A drawing that was parsed and written again.

    Attributes:
        has_text: some of it is text.
    """

    def __init__(self, content: bytes) -> None:
        self.has_text = False
        self._parts: list[str] = []
        self._depth = self._elements = self._entities = 0
        self._left_out_at = 0  # depth of the outermost element that is left out; 0: none
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._take_text
        parser.EntityDeclHandler = self._declare
        try:
            parser.Parse(content, True)
        except expat.ExpatError as error:
            if self._elements == 0:
                raise ImageReadError("not a picture of a kind that can be read") from error
            message = expat.ErrorString(error.code)
            raise ImageReadError(f"damaged: {message}, line {error.lineno}") from error

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(":")[2]
        if self._elements == 0 and local != "svg":
            raise ImageReadError("not a picture of a kind that can be read")
        self._depth += 1
        self._elements += 1
        if self._depth > _MAX_DEPTH or self._elements > _MAX_ELEMENTS:
            raise not_supported("SVG", "too deeply nested" if self._depth > _MAX_DEPTH else "too many elements")
        if self._left_out_at:
            return
        if local in _LEFT_OUT:
            self._left_out_at = self._depth
            return
        self.has_text |= local == "text"
        kept = [f" {key}={quoteattr(value)}" for key, value in attributes.items() if _is_inner(key, value)]
        self._parts.append(f"<{name}{''.join(kept)}>")

    def _end(self, name: str) -> None:
        if not self._left_out_at:
            self._parts.append(f"</{name}>")
        elif self._left_out_at == self._depth:
            self._left_out_at = 0
        self._depth -= 1

    def _take_text(self, text: str) -> None:
        if not self._left_out_at:
            self._parts.append(escape(text))

    def _declare(self, _name: str, _is_parameter: bool, value: str | None, *_: object) -> None:
        self._entities += 1
        if self._entities > _MAX_ENTITIES or value is None or len(value) > _MAX_ENTITY or "&" in value:
            raise not_supported("SVG", "with entities")


def _is_inner(name: str, value: str) -> bool:
    """Return whether an attribute refers to nothing, or to something within the file."""
    return name.rpartition(":")[2].lower() not in ("href", "src") or bool(_INNER_REFERENCE.match(value))
