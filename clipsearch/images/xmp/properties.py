"""Read simple properties of a picture's XMP packet."""

from collections.abc import Collection
from xml.etree.ElementTree import Element

from clipsearch.errors import InputError
from clipsearch.images.xmp.document import RDF_ROOT, decode_document
from clipsearch.images.xmp.forms import choose_nodes

NAMESPACES = {
    "camera": "http://ns.google.com/photos/1.0/camera/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
}
"""Prefixes used here.

Source: XMP Specification Part 2, 2016; Exif for XMP, CIPA DC-010-2017; Android, "Motion Photo format 1.0".
"""

# Packets have a few kilobytes; edit histories make some of them large.
_MAX_BYTES = 4 << 20


def read_properties(packet: object, names: Collection[str]) -> dict[str, str]:
    """Read simple properties of the picture, whether they are written as attributes or as elements.

    Properties of the pictures that it was made from are nested deeper, or are about another resource.

    Args:
        packet: bytes in any encoding that XML knows, or text.
        names: such as "exif:DateTimeOriginal", with the prefixes of `NAMESPACES`.

    Returns:
        The text of those that are present; empty where the packet is not XML, or defines entities.
    """
    root = parse_packet(packet)
    if root is None:
        return {}
    wanted: dict[str, str] = {}
    for name in names:
        prefix, _, local = name.partition(":")
        wanted[f"{{{NAMESPACES[prefix]}}}{local}"] = name
    found: dict[str, str] = {}
    nodes = ((node, node.tag, node.attrib) for rdf in root.iter(RDF_ROOT) for node in rdf)
    try:
        own = choose_nodes(nodes)
    except InputError:
        return {}
    for node in own:
        for key, value in (*node.attrib.items(), *((child.tag, child.text) for child in node)):
            if key in wanted and value and value.strip():
                found.setdefault(wanted[key], value.strip())
    return found


def parse_packet(packet: object) -> Element | None:
    """Parse a packet, bytes or text; None where it is not XML, defines entities or is too large."""
    content = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet
    if not isinstance(content, bytes) or not 0 < len(content) <= _MAX_BYTES:
        return None
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, XMLParser

    try:
        document, _, _ = decode_document(content)
        parser = XMLParser(encoding="utf-8", forbid_dtd=True)
        parser.feed(document.strip(b"\0 \t\r\n"))
        root: Element = parser.close()
    except (InputError, ParseError, DefusedXmlException, ValueError):
        return None
    return root
