"""Motion photos: photographs with a film inside, of Google's and Samsung's kinds."""

import io
import struct

from PIL import Image


def photo(xmp: str = "", file_format: str = "JPEG", image: Image.Image | None = None) -> bytes:
    content = io.BytesIO()
    image = image or Image.new("RGB", (64, 48), "olive")
    image.save(content, file_format, **({"xmp": xmp.encode()} if xmp else {}))
    return content.getvalue()


def packet(attributes: str = "", inner: str = "") -> str:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" '
        'xmlns:Container="http://ns.google.com/photos/1.0/container/" '
        f'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" {attributes}>{inner}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    )


def directory(*items: tuple[str, int, int]) -> str:
    members = "".join(
        f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="{semantic}" Item:Length="{length}" '
        f'Item:Padding="{padding}" Item:Mime="x/y"/></rdf:li>'
        for semantic, length, padding in items
    )
    return f"<Container:Directory><rdf:Seq>{members}</rdf:Seq></Container:Directory>"


def with_trailer(picture: bytes, film: bytes, kind: int = 0x0A30) -> bytes:
    """Samsung's trailer, with a field before the film and one after it."""
    fields = [(0x0A01, b"Image_UTC_Data", b"1720000000000"), (kind, b"MotionPhoto_Data", film), (0x0A41, b"X", b"12")]
    bodies = [struct.pack("<HHI", 0, number, len(name)) + name + data for number, name, data in fields]
    entries, place = b"", sum(map(len, bodies))
    for (number, _, _), body in zip(fields, bodies, strict=True):
        entries += struct.pack("<HHII", 0, number, place, len(body))
        place -= len(body)
    table = b"SEFH" + struct.pack("<II", 107, len(bodies)) + entries
    return picture + b"".join(bodies) + table + struct.pack("<I", len(table)) + b"SEFT"


def motion_photo_of(image: Image.Image, film: bytes, file_format: str = "JPEG") -> bytes:
    """A photograph with a film as Google's cameras write it."""
    if file_format == "HEIF":
        return photo("", file_format, image) + struct.pack(">I4s", 8 + len(film), b"mpvd") + film
    items = directory(("Primary", 0, 0), ("MotionPhoto", len(film), 0))
    return photo(packet('GCamera:MotionPhoto="1"', items), file_format, image) + film
