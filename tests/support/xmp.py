"""XMP packets, IPTC records and pictures that hold them."""

import io
import struct
from collections.abc import Iterable
from typing import Any

from PIL import Image

from clipsearch.images.xmp.properties import NAMESPACES

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def packet(elements: str = "", attributes: str = "") -> bytes:
    """An XMP packet with all prefixes of `NAMESPACES` declared."""
    declared = " ".join(f'xmlns:{prefix}="{address}"' for prefix, address in NAMESPACES.items())
    return (
        f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about="" {declared} {attributes}>{elements}'
        f'</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def array(name: str, items: Iterable[str], kind: str = "Bag") -> str:
    """A property that is an array of texts."""
    inner = "".join(f"<rdf:li>{item}</rdf:li>" for item in items)
    return f"<{name}><rdf:{kind}>{inner}</rdf:{kind}></{name}>"


def languages(name: str, **texts: str) -> str:
    """A property in languages; that of x_default is the default."""
    inner = "".join(f'<rdf:li xml:lang="{key.replace("_", "-")}">{text}</rdf:li>' for key, text in texts.items())
    return f"<{name}><rdf:Alt>{inner}</rdf:Alt></{name}>"


def iptc_record(dataset: tuple[int, int], value: bytes) -> bytes:
    """One record of IPTC-IIM."""
    return struct.pack(">BBBH", 0x1C, *dataset, len(value)) + value


def picture(
    *, xmp: bytes | None = None, iptc: bytes | None = None, exif: Image.Exif | None = None, **options: Any
) -> bytes:
    """A JPEG with metadata."""
    buffer = io.BytesIO()
    if xmp is not None:
        options["xmp"] = xmp
    if exif is not None:
        options["exif"] = exif.tobytes()
    Image.new("RGB", (16, 8)).save(buffer, "JPEG", **options)
    content = buffer.getvalue()
    if iptc is None:
        return content
    padded = iptc + b"\0" * (len(iptc) % 2)
    block = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + padded
    return content[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + content[2:]
