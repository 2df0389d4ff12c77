"""Parse untrusted XMP: in any Unicode encoding, without a document type, up to limits; with byte positions."""

import codecs
import re
from dataclasses import dataclass, field
from typing import Any

from clipsearch.errors import InputError
from clipsearch.files import byte_order_mark

# Source: XMP Specification Part 1, Adobe 2012, 7.4 (packets), 7.9 (serialisation) and 8.3 (dc:subject).
XMP = "adobe:ns:meta/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
RDF_ROOT, DESCRIPTION, SUBJECT = f"{{{RDF}}}RDF", f"{{{RDF}}}Description", f"{{{DC}}}subject"
ABOUT = f"{{{RDF}}}about"

# XMP is about twelve elements deep; brush strokes of editors make some 10,000 tags.
_MAX_DEPTH = 100
MAX_TAGS = 200_000

# Source: XML 1.0, appendix F.
_FIRST_BYTES = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_DECLARED = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([^"'>]*)["']""")
# Encodings in which the letters of XML itself are ASCII, and that all parsers decode alike.
_DECLARABLE = {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252"}

START_TAG = re.compile(rb"""<(?P<name>[^\s/>]+)(?:[^>"']++|"[^"]*"|'[^']*')*+>""")


class UnsupportedFormError(InputError):
    """XMP whose keywords have a form that can't be read or edited reliably."""


@dataclass(eq=False, slots=True)
class Element:
    """An element on the path to the keywords, or among them.

    Attributes:
        name: "{namespace}local", as the keys of `attributes`.
        prefixes: those declared here, with their namespaces; "" is the default one.
        start, inner_start, inner_end, end: positions in the content; inner_start is end where it has no end tag.
    """

    name: str
    attributes: dict[str, str]
    prefixes: dict[str, str]
    parent: "Element | None"
    start: int
    inner_start: int
    inner_end: int = 0
    end: int = 0
    texts: list[str] = field(default_factory=list)
    children: "list[Element]" = field(default_factory=list)

    def children_named(self, *names: str) -> "list[Element]":
        return [child for child in self.children if child.name in names]

    def scope(self) -> dict[str, str]:
        return ({} if self.parent is None else self.parent.scope()) | self.prefixes

    def text(self) -> str:
        return " ".join("".join(self.texts).split())


def decode_document(content: bytes) -> tuple[bytes, str, bytes]:
    """Decode a document to (UTF-8 without a byte order mark, its encoding, its byte order mark).

    Done here and not by the parser, so that positions and checks are of the same text that the parser reads.
    """
    mark, encoding = byte_order_mark(content)
    body = content[len(mark) :]
    if not encoding:
        encoding = next((name for start, name in _FIRST_BYTES if body.startswith(start)), "")
    if not encoding:
        declared = _DECLARED.match(body[:1000].lstrip())
        encoding = declared[1].decode("ascii", "replace").lower() if declared else "utf-8"
        if encoding not in _DECLARABLE:
            raise InputError(f"its encoding, {encoding[:40]!r}, is not one of UTF-8, UTF-16 and UTF-32")
    encoding = codecs.lookup(encoding).name
    try:
        text = body.decode(encoding)
        return (body if encoding == "utf-8" else text.encode("utf-8")), encoding, mark
    except UnicodeError as error:
        raise InputError(f"it is not {encoding.upper()}") from error


class DocumentReader:
    """Target of the parser: enforces the limits, and keeps the elements on the path to the keywords."""

    def __init__(self, content: bytes) -> None:
        from xml.etree.ElementTree import ParseError

        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import XMLParser

        # Every tag and every attribute has one of these characters: the cost is known before any of it is spent.
        if max(content.count(b"<"), content.count(b"=")) > MAX_TAGS:
            raise InputError(f"it has more than {MAX_TAGS:,} tags or attributes")
        self.root: Element | None = None
        self._content = content
        self._stack: list[Element | None] = []
        self._is_about_picture: list[bool] = []
        self._prefixes: dict[str, str] = {}
        self._parser: Any = XMLParser(target=self, encoding="utf-8", forbid_dtd=True)
        try:
            self._parser.feed(content)
            self._parser.close()
        except DefusedXmlException as error:
            raise InputError("it has a document type") from error
        except (ParseError, ValueError) as error:  # ValueError: a NUL
            raise InputError(str(error)) from error

    def start_ns(self, prefix: str, address: str) -> None:
        self._prefixes[prefix] = address

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._stack) == _MAX_DEPTH:
            raise InputError(f"its elements are nested more than {_MAX_DEPTH} deep")
        parent = self._stack[-1] if self._stack else None
        element = None
        if not self._stack or (parent is not None and self._is_relevant(name, parent)):
            start = self._parser.parser.CurrentByteIndex
            tag = START_TAG.match(self._content, start)
            if tag is None:
                raise InputError("the position of an element can't be determined")
            element = Element(name, attributes, self._prefixes, parent, start, tag.end())
            if parent is None:
                self.root = element
            else:
                parent.children.append(element)
        else:
            self._check_not_inside(name, attributes)
        self._prefixes = {}
        self._stack.append(element)
        self._is_about_picture.append(element is None and attributes.get(ABOUT) == "")

    def _check_not_inside(self, name: str, attributes: dict[str, str]) -> None:
        """Raise if RDF describes the picture in a nested node; readers of XMP know the top ones only."""
        is_own_attribute = SUBJECT in attributes and attributes.get(ABOUT) == ""
        if is_own_attribute or (name == SUBJECT and self._is_about_picture[-1]):
            raise UnsupportedFormError("its keywords are nested inside another property")

    def _is_relevant(self, name: str, parent: Element) -> bool:
        depth = len(self._stack)
        if depth == 1 and parent.name != RDF_ROOT:
            return name == RDF_ROOT
        top = next(number for number, element in enumerate(self._stack) if element and element.name == RDF_ROOT)
        below = depth - top
        return below != 2 or name == SUBJECT

    def data(self, text: str) -> None:
        if self._stack and (element := self._stack[-1]) is not None:
            element.texts.append(text)

    def end(self, name: str) -> None:
        element = self._stack.pop()
        self._is_about_picture.pop()
        if element is None:
            return
        if self._content[element.inner_start - 2 : element.inner_start] == b"/>":
            element.inner_end = element.end = element.inner_start
        else:
            element.inner_end = self._parser.parser.CurrentByteIndex
            element.end = self._content.index(b">", element.inner_end) + 1

    def close(self) -> None:
        """Do nothing: the parser calls it at the end."""
