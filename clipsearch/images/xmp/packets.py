"""Find the XMP packet of a picture, and parse it: untrusted XML up to limits, without a document type."""

from xml.etree.ElementTree import Element, TreeBuilder

from PIL import Image

from clipsearch.errors import InputError
from clipsearch.images.xmp.document import MAX_TAGS, decode_document

# Packets have a few kilobytes; edit histories make some of them large.
_MAX_BYTES = 4 << 20

MAX_SIDECAR_BYTES = 8_000_000
"""Larger sidecars are not read. They have some kilobytes; with a long edit history some megabytes."""

XMP_TAG = 700
"""Tag of a TIFF directory that holds the packet. Source: XMP Specification Part 3, Adobe 2020, 3.3 (TIFF)."""


def xmp_packet(image: Image.Image) -> object:
    """Return the XMP packet of an opened picture, bytes or text; None without one."""
    # PNG stores it as a text under its old name; in TIFF it is a tag.
    for key in ("xmp", "XML:com.adobe.xmp"):
        if image.info.get(key):
            return image.info[key]
    tags = getattr(image, "tag_v2", None)
    return None if tags is None else tags.get(XMP_TAG)


def parse_packet(packet: object) -> Element | None:
    """Parse a packet, bytes or text; None where it is not XML, defines entities or is too large."""
    content = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet
    if not isinstance(content, bytes) or not content:
        return None
    try:
        return parse_document(content)
    except InputError:
        return None


def parse_document(content: bytes, *, max_bytes: int = _MAX_BYTES) -> Element:
    """Parse a document in any encoding that XML knows.

    Raises:
        InputError: it is not XML, defines entities or is too large; the message does not include the path.
    """
    if not 0 < len(content) <= max_bytes:
        raise InputError(f"it has more than {max_bytes:,} bytes" if content else "it is empty")
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, XMLParser

    document, _, _ = decode_document(content)
    if max(document.count(b"<"), document.count(b"=")) > MAX_TAGS:
        raise InputError(f"it has more than {MAX_TAGS:,} tags or attributes")
    try:
        # Its own target makes elements in Python, which are slower and can't be iterated where they are nested deep.
        parser = XMLParser(target=TreeBuilder(), encoding="utf-8", forbid_dtd=True)
        parser.feed(document.strip(b"\0 \t\r\n"))
        root: Element = parser.close()
    except DefusedXmlException as error:
        raise InputError("it has a document type") from error
    except (ParseError, ValueError) as error:
        raise InputError(str(error)) from error
    return root
