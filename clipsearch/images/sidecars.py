"""Keywords in XMP sidecars, where other programs look for them: `cat.jpg.xmp` beside `cat.jpg`."""

import contextlib
import io
import os
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from clipsearch.errors import InputError

# Source: XMP Specification Part 1, Adobe 2012, 7.5 (serialisation) and 8.3 (dc:subject, a bag of keywords).
_NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
}
_ABOUT = f"{{{_NAMESPACES['rdf']}}}about"

# Sidecars are some kilobytes; those of editors with a long history some megabytes.
_MAX_BYTES = 32_000_000


def sidecar_of(picture: Path) -> Path:
    """Where the sidecar of a picture lies; digiKam, darktable and others keep the picture's own ending in its name."""
    return picture.with_name(picture.name + ".xmp")


def add_keywords(picture: Path, keywords: Iterable[str]) -> bool:
    """Adds keywords to a picture's sidecar, which is made when there is none; all else in it stays as it means.

    Returns:
        Whether anything had to be written.

    Raises:
        InputError: the sidecar is not XMP, or can't be read or written; it is left as it is.
    """
    path = sidecar_of(picture)
    try:
        root = _read(path) if path.exists() else ElementTree.Element(_tag("x:xmpmeta"))
        bag = _bag(root)
        there = {(item.text or "").strip() for item in bag}
        fresh = [word for word in dict.fromkeys(keywords) if word not in there]
        for word in fresh:
            ElementTree.SubElement(bag, _tag("rdf:li")).text = word
        if fresh:
            _write(Path(os.path.realpath(path)), root)
    except ElementTree.ParseError as error:
        raise InputError(f"{path} is no XMP: {error}") from error
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror}") from error
    return bool(fresh)


def read_keywords(picture: Path) -> list[str]:
    """The keywords in a picture's sidecar, in their order; none when there is none. Errors as in `add_keywords`."""
    path = sidecar_of(picture)
    try:
        return [item.text or "" for item in _bag(_read(path))] if path.exists() else []
    except ElementTree.ParseError as error:
        raise InputError(f"{path} is no XMP: {error}") from error
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror}") from error


def _read(path: Path) -> ElementTree.Element:
    if path.stat().st_size > _MAX_BYTES:
        raise InputError(f"{path} is too large for a sidecar")
    content = path.read_bytes()
    # XMP has no document type, with which a small file can become a large one.
    if b"<!DOCTYPE" in content:
        raise InputError(f"{path} is no XMP: it has a document type")
    # No document type, so no entities either.
    for _, (prefix, address) in ElementTree.iterparse(io.BytesIO(content), ("start-ns",)):  # noqa: S314
        with contextlib.suppress(ValueError):  # a prefix that the library keeps for itself
            ElementTree.register_namespace(prefix, address)
    return ElementTree.fromstring(content)  # noqa: S314


def _bag(root: ElementTree.Element) -> ElementTree.Element:
    """The bag of keywords; made where there is none."""
    rdf = root if root.tag == _tag("rdf:RDF") else _child(root, "rdf:RDF")
    found = rdf.find("rdf:Description/dc:subject", _NAMESPACES)
    if found is None:
        description = rdf.find("rdf:Description", _NAMESPACES)
        if description is None:
            description = ElementTree.SubElement(rdf, _tag("rdf:Description"), {_ABOUT: ""})
        found = _child(description, "dc:subject")
    return _child(found, "rdf:Bag")


def _child(parent: ElementTree.Element, name: str) -> ElementTree.Element:
    found = parent.find(name, _NAMESPACES)
    return ElementTree.SubElement(parent, _tag(name)) if found is None else found


def _tag(name: str) -> str:
    prefix, local = name.split(":")
    return f"{{{_NAMESPACES[prefix]}}}{local}"


def _write(path: Path, root: ElementTree.Element) -> None:
    for prefix, address in _NAMESPACES.items():
        ElementTree.register_namespace(prefix, address)
    ElementTree.indent(root)
    text = io.BytesIO()
    ElementTree.ElementTree(root).write(text, encoding="utf-8", xml_declaration=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        fresh.write_bytes(text.getvalue() + b"\n")
        if path.exists():
            fresh.chmod(path.stat().st_mode)
        fresh.replace(path)
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()
