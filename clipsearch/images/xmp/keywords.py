"""Find and add keywords in XMP, in every form that RDF allows; all other bytes stay unchanged.

XMP is edited in place and not rewritten: namespaces, comments, order and line ends belong to other programs.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from clipsearch.errors import InputError
from clipsearch.images.xmp.document import (
    DC,
    RDF,
    RDF_ROOT,
    START_TAG,
    SUBJECT,
    XMP,
    DocumentReader,
    Element,
    UnsupportedFormError,
    decode_document,
)
from clipsearch.images.xmp.forms import (
    ALT,
    attribute_members,
    choose_nodes,
    is_member,
    is_plain,
    member_attributes,
    movable_words,
    next_member,
    read_subject,
    text_attributes,
    word_of,
)

_NOT_EDITED = "its keywords have a form that can't be edited"

_NEW = f"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="{XMP}">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about="" xmlns:dc="{DC}">
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
""".encode()

_ATTRIBUTE = re.compile(rb"""\s+([^\s=/>]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
# Source: XML 1.0, 2.2: characters that are not allowed in a document.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class _Edit:
    """Replacement of the bytes from `start` to `end`."""

    start: int
    end: int
    text: bytes = b""


def find_keywords(content: bytes) -> list[str]:
    """Return the keywords of an XMP document in order, without duplicates; whitespace becomes one space.

    Raises:
        InputError: it is not XMP; the message does not include the path.
    """
    text, _, _ = decode_document(content)
    return _Keywords(text).words


def add_to_xmp(content: bytes | None, keywords: Iterable[str]) -> bytes:
    """Add keywords to an XMP document; the same bytes when all are present, none when there are none to add.

    Afterwards the document has one array of the picture's keywords, without duplicates: its own Bag or Seq, else a new
    Bag; an Alt becomes a Bag. Everything else stays unchanged. Idempotent.

    Args:
        content: None: a new document.

    Raises:
        InputError: it is not XMP, or its keywords have a form that can't be edited; the message does not include the
            path.
    """
    text, encoding, mark = decode_document(_NEW if content is None else content)
    found = _Keywords(text)
    known = {_normalise(word): word for word in found.words}
    for word in (" ".join(_NOT_XML.sub(" ", word).split()) for word in keywords):
        if word:
            known.setdefault(_normalise(word), word)
    new_words = list(known.values())[len(found.words) :]
    edits = found.edits(new_words)
    if not edits:
        return content or b""
    edited = _apply(text, edits)
    # The result is parsed before it is written: a document with an unforeseen form is not made worse.
    reread = _Keywords(edited)
    if reread.words != found.words + new_words or reread.edits([]):
        raise UnsupportedFormError(_NOT_EDITED)
    if encoding == "utf-8":
        return mark + edited
    return mark + edited.decode("utf-8").encode(encoding, "xmlcharrefreplace")


class _Keywords:
    """Positions of the keywords in a document.

    Attributes:
        words: in array order, without duplicates.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        root = DocumentReader(content).root
        if root is None or not (root.name == RDF_ROOT or root.children or root.name.startswith(f"{{{XMP}}}")):
            raise InputError("it has no rdf:RDF")
        self._root = root
        rdfs = [root] if root.name == RDF_ROOT else root.children
        self._rdf = rdfs[0] if rdfs else None
        self._nodes = choose_nodes((node, node.name, node.attributes) for rdf in rdfs for node in rdf.children)
        self._forms = [[read_subject(subject) for subject in node.children] for node in self._nodes]
        arrays = [(array, form.element) for forms in self._forms for form in forms for array in form.arrays]
        self._home: Element | None
        self._home_subject: Element | None
        self._home, self._home_subject = arrays[0] if arrays else (None, None)
        known: dict[str, str] = {}
        for _, word in self._items():
            known.setdefault(_normalise(word), word)
        self.words = list(known.values())

    def _items(self) -> Iterator[tuple[Element | None, str]]:
        """Yield (element, word) of the array that stays, then (None, word) of those elsewhere."""
        if self._home is not None:
            yield from ((item, word) for item in self._home.children if is_member(item) and (word := word_of(item)))
            yield from ((None, word) for text in attribute_members(self._home) if (word := " ".join(text.split())))
        for node, forms in zip(self._nodes, self._forms, strict=True):
            if word := " ".join(node.attributes.get(SUBJECT, "").split()):
                yield None, word
            for form in forms:
                yield from ((None, word) for word in form.words)
                for array in form.arrays:
                    if array is not self._home:
                        yield from ((None, word) for word in movable_words(array))

    def edits(self, new_words: list[str]) -> list[_Edit]:
        """Return the edits that merge the keywords into one array, with new ones at its end."""
        edits: list[_Edit] = []
        here: set[str] = set()
        for item, word in self._items():
            if item is not None:
                if _normalise(word) in here:
                    if not is_plain(item):
                        raise UnsupportedFormError(_NOT_EDITED)
                    edits.append(self._removal(item))
                here.add(_normalise(word))
        added = [word for word in self.words if _normalise(word) not in here] + new_words
        forms = [form for forms in self._forms for form in forms]
        subject = self._home_subject or next((form.element for form in forms), None)
        for node in self._nodes:
            edits += self._attribute_removals(node, {SUBJECT})
        for form in forms:
            is_rewritten = form.element is not subject or (self._home is None and bool(added))
            if is_rewritten and not form.is_plain:
                raise UnsupportedFormError(_NOT_EDITED)
            if form.element is not subject:
                edits.append(self._removal(form.element))
            elif self._home is not None:
                edits += [self._removal(array) for array in form.arrays if array is not self._home]
        if self._home is not None:
            edits += self._attribute_removals(self._home, member_attributes(self._home))
            edits += self._rename(self._home) if self._home.name == ALT else []
            edits += self._append_items(self._home, added) if added else []
        elif added:
            edits += self._make_array(subject, added)
        return edits

    def _append_items(self, array: Element, words: list[str]) -> list[_Edit]:
        last = array.children[-1] if array.children else None
        space = self._space_before(last.start) if last is not None else self._indent(array)
        name, declared = _qualified(array, RDF, "rdf", next_member(array))
        items = b"".join(space + _tag(name, declared, escape(word).encode()) for word in words)
        if last is not None:
            return [_Edit(last.end, last.end, items)]
        return self._append(array, items, b"Bag" if array.name == ALT else None)

    def _make_array(self, subject: Element | None, words: list[str]) -> list[_Edit]:
        """Create an array where there is none, with all missing elements above it."""
        if subject is not None:
            edits = self._attribute_removals(subject, text_attributes(subject))
            inner = self._array_text(subject, words, self._indent(subject))
            if subject.inner_start == subject.end:
                return edits + self._append(subject, inner)
            return [*edits, _Edit(subject.inner_start, subject.inner_end, inner + self._space_before(subject.start))]
        description = next(
            (each for each in self._nodes if SUBJECT in each.attributes),
            next((each for each in self._nodes if DC in each.scope().values()), None),
        ) or next(iter(self._nodes), None)
        if description is None:
            parent = self._rdf or self._root
            return self._append(parent, self._description_text(words, self._indent(parent)))
        indent = self._indent(description)
        name, declared = _qualified(description, DC, "dc", "subject")
        deeper = indent + indent[-1:]
        return self._append(
            description, indent + _tag(name, declared, self._array_text(description, words, deeper) + indent)
        )

    def _description_text(self, words: list[str], indent: bytes) -> bytes:
        """Return a description with an array, in an rdf:RDF where there is none; prefixes are declared again."""
        items = b"".join(_tag(b"rdf:li", b"", escape(word).encode()) for word in words)
        subject = _tag(b"dc:subject", f' xmlns:dc="{DC}"'.encode(), _tag(b"rdf:Bag", b"", items))
        declared, about = f' xmlns:rdf="{RDF}"'.encode(), b' rdf:about=""'
        if self._rdf is not None:
            return indent + _tag(b"rdf:Description", declared + about, subject)
        return indent + _tag(b"rdf:RDF", declared, _tag(b"rdf:Description", about, subject))

    def _array_text(self, parent: Element, words: list[str], indent: bytes) -> bytes:
        (bag, declared), (item, _) = (_qualified(parent, RDF, "rdf", name) for name in ("Bag", "li"))
        items = b"".join(indent + indent[-1:] + _tag(item, b"", escape(word).encode()) for word in words)
        return indent + _tag(bag, declared, items + indent)

    def _append(self, element: Element, inner: bytes, renamed: bytes | None = None) -> list[_Edit]:
        """Append a last child; an element without an end tag gets one."""
        space = self._space_before(element.start)
        if element.inner_start == element.end:
            name = self._raw_name(element)
            name = name if renamed is None else name[: name.find(b":") + 1] + renamed
            return [_Edit(element.end - 2, element.end, b">" + inner + space + b"</" + name + b">")]
        place = element.inner_end - len(self._space_before(element.inner_end, element.inner_start))
        return [_Edit(place, place, inner + (b"" if place < element.inner_end else space))]

    def _rename(self, array: Element) -> list[_Edit]:
        """Rename an Alt to a Bag."""
        name = self._raw_name(array)
        edits = [_Edit(array.start + 1 + len(name) - 3, array.start + 1 + len(name), b"Bag")]
        if array.inner_start != array.end:
            edits.append(_Edit(array.inner_end + 2 + len(name) - 3, array.inner_end + 2 + len(name), b"Bag"))
        return edits

    def _raw_name(self, element: Element) -> bytes:
        tag = START_TAG.match(self._content, element.start)
        return tag["name"] if tag else b""

    def _removal(self, element: Element) -> _Edit:
        return _Edit(element.start - len(self._space_before(element.start)), element.end)

    def _attribute_removals(self, element: Element, names: Collection[str]) -> list[_Edit]:
        """Remove those attributes of an element that have one of the names ("{namespace}local")."""
        edits: list[_Edit] = []
        scope = element.scope()
        place = element.start + 1 + len(self._raw_name(element))
        while found := _ATTRIBUTE.match(self._content, place):
            prefix, _, local = found[1].decode("utf-8").rpartition(":")
            if prefix in scope and prefix and f"{{{scope[prefix]}}}{local}" in names:
                edits.append(_Edit(found.start(), found.end()))
            place = found.end()
        if len(edits) != len(element.attributes.keys() & names):
            raise UnsupportedFormError(_NOT_EDITED)
        return edits

    def _indent(self, element: Element) -> bytes:
        """Return the whitespace before a child of the element: a line break and blanks, or nothing within a line."""
        space = self._space_before(element.start)
        if not {*b"\r\n"} & {*space}:
            return b""
        return space + (b"\t" if space.endswith(b"\t") else b" ")

    def _space_before(self, place: int, least: int = 0) -> bytes:
        start = place
        while start > least and self._content[start - 1] in b" \t\r\n":
            start -= 1
        return self._content[start:place]


def _qualified(element: Element, address: str, usual: str, local: str) -> tuple[bytes, bytes]:
    """Return the qualified name of a new child, and the declaration of its prefix unless it is declared there."""
    prefix = next((prefix for prefix, found in element.scope().items() if found == address), None)
    if prefix is None:
        return f"{usual}:{local}".encode(), f' xmlns:{usual}="{address}"'.encode()
    return (f"{prefix}:{local}" if prefix else local).encode(), b""


def _tag(name: bytes, declared: bytes, inner: bytes) -> bytes:
    return b"<" + name + declared + b">" + inner + b"</" + name + b">"


def _normalise(word: str) -> str:
    """Normalise composed and decomposed letters, so that words that look the same compare equal."""
    return unicodedata.normalize("NFC", word)


def _apply(content: bytes, edits: list[_Edit]) -> bytes:
    parts, place = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < place:
            raise UnsupportedFormError(_NOT_EDITED)
        parts += [content[place : edit.start], edit.text]
        place = edit.end
    return b"".join((*parts, content[place:]))
