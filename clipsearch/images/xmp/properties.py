"""Read the properties of a picture from its XMP packet: texts, arrays of texts, and structures."""

from collections.abc import Collection, Iterator
from functools import cache
from typing import TypeAlias
from xml.etree.ElementTree import Element

from clipsearch.errors import InputError
from clipsearch.images.xmp.document import DESCRIPTION, RDF, RDF_ROOT
from clipsearch.images.xmp.forms import ALT, ARRAYS, choose_nodes
from clipsearch.images.xmp.packets import parse_packet

NAMESPACES = {
    "acdsee": "http://ns.acdsee.com/iptc/1.0/",
    "acdsee-rs": "http://ns.acdsee.com/regions/",
    "camera": "http://ns.google.com/photos/1.0/camera/",
    "darktable": "http://darktable.sf.net/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "expressionmedia": "http://ns.microsoft.com/expressionmedia/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "mediapro": "http://ns.iview-multimedia.com/mediapro/1.0/",
    # Windows writes it with the slash, exiftool without.
    "microsoft": "http://ns.microsoft.com/photo/1.0",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpDM": "http://ns.adobe.com/xmp/1.0/DynamicMedia/",
}
"""Prefixes used here.

Source: XMP Specification Part 2, 2016; Exif for XMP, CIPA DC-010-2017; IPTC Photo Metadata Standard 2023.1; Metadata
Working Group, Guidelines 2.0; Android, "Motion Photo format 1.0"; exiftool 13, `XMP.pm` and `XMP2.pl`.
"""

Value: TypeAlias = str | Element
"""A property's value: that of an attribute, or an element."""

_VALUE, _LI = f"{{{RDF}}}value", f"{{{RDF}}}li"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_DEFAULT = "x-default"

# An element with a value inside of a value inside of a value says nothing that a program writes.
_MAX_DEPTH = 3


@cache
def qualify(name: str) -> str:
    """Convert a name such as "dc:title", with a prefix of `NAMESPACES`, to "{namespace}title"."""
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


class Properties:
    """Properties of one picture or of one structure; empty where its packet says nothing.

    Names are such as "dc:title", with the prefixes of `NAMESPACES`. Texts are not cleaned, but their ends are stripped.
    """

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, list[Value]] | None = None) -> None:
        """Take the values of each "{namespace}name"."""
        self._values = values or {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def text(self, *names: str) -> str:
        """Return the first text of the first of the properties that has one, "" without; of languages the default."""
        return next((text for name in names for text in self.texts(name)), "")

    def texts(self, name: str) -> Iterator[str]:
        """Yield the texts of a property: those of an array, in its order, or the only one."""
        for value in self._values.get(qualify(name), ()):
            yield from _texts(value)

    def elements(self, name: str) -> Iterator[Element]:
        """Yield the elements of a property and all below them, for structures at any depth."""
        for value in self._values.get(qualify(name), ()):
            if isinstance(value, Element):
                yield from value.iter()

    def structures(self, name: str) -> Iterator["Properties"]:
        """Yield the structures of a property: those of an array, in its order, or the only one."""
        for value in self._values.get(qualify(name), ()):
            if isinstance(value, Element):
                arrays = [child for child in value if child.tag in ARRAYS]
                for item in (item for array in arrays for item in array) if arrays else (value,):
                    yield _structure(item)


NO_PROPERTIES = Properties()


def parse_properties(packet: object) -> Properties:
    """Return the properties of the picture, whether they are written as attributes or as elements.

    Properties of the pictures that it was made from are nested deeper, or are about another resource.

    Args:
        packet: bytes in any encoding that XML knows, or text.

    Returns:
        `NO_PROPERTIES` where it is not XML, or defines entities, or does not say what it describes.
    """
    root = parse_packet(packet)
    if root is None:
        return NO_PROPERTIES
    try:
        return own_properties(root)
    except InputError:
        return NO_PROPERTIES


def own_properties(root: Element) -> Properties:
    """Return the properties of the picture in a parsed document.

    Raises:
        InputError: it describes several resources, and none is the picture.
    """
    nodes = ((node, node.tag, node.attrib) for rdf in root.iter(RDF_ROOT) for node in rdf)
    return _properties_of(choose_nodes(nodes))


def read_properties(packet: object, names: Collection[str]) -> dict[str, str]:
    """Return the texts of those of the properties that are present; arguments as in `parse_properties`."""
    properties = parse_properties(packet)
    return {name: text for name in names if (text := properties.text(name))}


def _properties_of(nodes: Collection[Element]) -> Properties:
    values: dict[str, list[Value]] = {}
    for node in nodes:
        for key, text in node.attrib.items():
            values.setdefault(key, []).append(text)
        for child in node:
            values.setdefault(child.tag, []).append(child)
    return Properties(values)


def _structure(item: Element) -> Properties:
    """Return the fields of a structure: written inline, or in a description of their own."""
    return _properties_of([item, *(child for child in item if child.tag == DESCRIPTION)])


def _texts(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        if text := value.strip():
            yield text
        return
    arrays = [child for child in value if child.tag in ARRAYS]
    if not arrays:
        if text := _text(value):
            yield text
        return
    for array in arrays:
        # A stable sort: the default language first.
        for item in sorted(array, key=lambda item: item.get(_LANGUAGE) != _DEFAULT) if array.tag == ALT else array:
            if text := _text(item):
                yield text


def _text(element: Element, depth: int = 0) -> str:
    """Return the text of an element, which may have qualifiers; "" where it has none."""
    if not len(element):
        return (element.text or element.get(_VALUE) or "").strip()
    if depth < _MAX_DEPTH:
        for child in element:
            if child.tag in (_VALUE, DESCRIPTION) or (child.tag == _LI and depth > 0) or child.tag in ARRAYS:
                return _text(child, depth + 1)
    return ""
