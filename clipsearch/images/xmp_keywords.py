"""Keywords in XMP, as text: found in every form that RDF allows, and added where they stand; all else keeps its bytes.

XMP is edited and not written anew: another program's namespaces, comments, order and line ends are its own.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from clipsearch.errors import InputError
from clipsearch.images.xmp_document import (
    DC,
    DESCRIPTION,
    RDF,
    RDF_ROOT,
    START_TAG,
    SUBJECT,
    XMP,
    DocumentReader,
    Element,
    decode_document,
)

_BAG, _SEQ, _ALT, _VALUE = (f"{{{RDF}}}{name}" for name in ("Bag", "Seq", "Alt", "value"))
_ITEM = re.compile(rf"\{{{re.escape(RDF)}\}}(?:li|_\d+)")

_NEW = f"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="{XMP}">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about="" xmlns:dc="{DC}">
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
""".encode()

_ATTRIBUTE = re.compile(rb"""\s+([^\s=/>]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
# Source: XML 1.0, 2.2: characters that no document may hold.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class _Edit:
    """Bytes from `start` to `end` are replaced."""

    start: int
    end: int
    text: bytes = b""


def find_keywords(content: bytes) -> list[str]:
    """The keywords of an XMP document in their order, each once; blanks made one space.

    Raises:
        InputError: it is no XMP; the text has no path.
    """
    text, _, _ = decode_document(content)
    return _Keywords(text).words


def add_to_xmp(content: bytes | None, keywords: Iterable[str]) -> bytes:
    """Add keywords to an XMP document; the same bytes when they are all there, none when there are none.

    Afterwards the document has one array of keywords, with each once: a Bag or Seq that was there, else a Bag; an Alt
    becomes a Bag.

    Args:
        content: None: a new document.

    Raises:
        InputError: it is no XMP, or its keywords have a form that can't be edited; the text has no path.
    """
    text, encoding, mark = decode_document(_NEW if content is None else content)
    found = _Keywords(text)
    known = {_folded(word): word for word in found.words}
    for word in (" ".join(_NOT_XML.sub(" ", word).split()) for word in keywords):
        if word:
            known.setdefault(_folded(word), word)
    fresh = list(known.values())[len(found.words) :]
    edits = found.edits(fresh)
    if not edits:
        return content or b""
    edited = _apply(text, edits)
    # What is written is read first: whatever a document may hold that was not thought of, it is not made worse.
    again = _Keywords(edited)
    if again.words != found.words + fresh or again.edits([]):
        raise InputError("its keywords have a form that can't be edited")
    if encoding == "utf-8":
        return mark + edited
    return mark + edited.decode("utf-8").encode(encoding, "xmlcharrefreplace")


class _Keywords:
    """Where the keywords of a document stand.

    Attributes:
        words: in the order that they have in one array, each once.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        root = DocumentReader(content).root
        if root is None or not (root.name == RDF_ROOT or root.children or root.name.startswith(f"{{{XMP}}}")):
            raise InputError("it has no rdf:RDF")
        self._root = root
        rdfs = [root] if root.name == RDF_ROOT else root.children
        self._rdf = rdfs[0] if rdfs else None
        self._descriptions = [each for rdf in rdfs for each in rdf.children]
        self._subjects = [subject for each in self._descriptions for subject in each.children]
        self._arrays = [array for subject in self._subjects for array in _arrays_in(subject)]
        self._home = self._arrays[0] if self._arrays else None
        known: dict[str, str] = {}
        for _, word in self._items():
            known.setdefault(_folded(word), word)
        self.words = list(known.values())

    def _items(self) -> Iterator[tuple[Element | None, str]]:
        """The words with their elements: of the array that stays, then those elsewhere, without an element."""
        if self._home is not None:
            yield from ((item, word) for item in self._home.children if (word := _word_of(item)))
        for description in self._descriptions:
            if word := " ".join(description.attributes.get(SUBJECT, "").split()):
                yield None, word
            for subject in description.children:
                arrays = _arrays_in(subject)
                if not arrays and (word := subject.text()):
                    yield None, word
                for array in arrays:
                    if array is not self._home:
                        yield from ((None, word) for item in array.children if (word := _movable_word(item)))

    def edits(self, fresh: list[str]) -> list[_Edit]:
        """What makes one array of the keywords, with fresh ones at its end."""
        edits: list[_Edit] = []
        here: set[str] = set()
        for item, word in self._items():
            if item is not None:
                if _folded(word) in here:
                    edits.append(self._removal(item))
                here.add(_folded(word))
        added = [word for word in self.words if _folded(word) not in here] + fresh
        home = self._home.parent if self._home is not None else next(iter(self._subjects), None)
        for description in self._descriptions:
            if SUBJECT in description.attributes:
                edits.append(self._attribute_removal(description))
        for subject in self._subjects:
            if subject is not home:
                edits.append(self._removal(subject))
        if self._home is not None:
            edits += [self._removal(array) for array in _arrays_in(self._home.parent) if array is not self._home]
            edits += self._rename(self._home) if self._home.name == _ALT else []
            edits += self._append_items(self._home, added) if added else []
        elif added:
            edits += self._make_array(home, added)
        return edits

    def _append_items(self, array: Element, words: list[str]) -> list[_Edit]:
        last = array.children[-1] if array.children else None
        space = self._space_before(last.start) if last is not None else self._indent(array)
        name, declared = _qualified(array, RDF, "rdf", "li")
        items = b"".join(space + _tag(name, declared, escape(word).encode()) for word in words)
        if last is not None:
            return [_Edit(last.end, last.end, items)]
        return self._append(array, items, b"Bag" if array.name == _ALT else None)

    def _make_array(self, subject: Element | None, words: list[str]) -> list[_Edit]:
        """An array where there is none, with all that is missing on the way to it."""
        if subject is not None:
            inner = self._array_text(subject, words, self._indent(subject))
            if subject.inner_start == subject.end:
                return self._append(subject, inner)
            return [_Edit(subject.inner_start, subject.inner_end, inner + self._space_before(subject.start))]
        description = next(
            (each for each in self._descriptions if SUBJECT in each.attributes),
            next((each for each in self._descriptions if DC in each.scope().values()), None),
        ) or next(iter(self._descriptions), None)
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
        """A description with an array, in an rdf:RDF where there is none; prefixes are declared anew."""
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
        """A last child; an element without an end tag gets one."""
        space = self._space_before(element.start)
        if element.inner_start == element.end:
            name = self._raw_name(element)
            name = name if renamed is None else name[: name.find(b":") + 1] + renamed
            return [_Edit(element.end - 2, element.end, b">" + inner + space + b"</" + name + b">")]
        place = element.inner_end - len(self._space_before(element.inner_end, element.inner_start))
        return [_Edit(place, place, inner + (b"" if place < element.inner_end else space))]

    def _rename(self, array: Element) -> list[_Edit]:
        """An Alt made a Bag."""
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

    def _attribute_removal(self, element: Element) -> _Edit:
        scope = element.scope()
        place = element.start + 1 + len(self._raw_name(element))
        while found := _ATTRIBUTE.match(self._content, place):
            prefix, _, local = found[1].decode("utf-8").rpartition(":")
            if local == "subject" and scope.get(prefix) == DC and prefix:
                return _Edit(found.start(), found.end())
            place = found.end()
        raise InputError("its keywords have a form that can't be edited")

    def _indent(self, element: Element) -> bytes:
        """What stands before a child of the element: a line break and blanks, or nothing where it stands in a line."""
        space = self._space_before(element.start)
        if not {*b"\r\n"} & {*space}:
            return b""
        return space + (b"\t" if space.endswith(b"\t") else b" ")

    def _space_before(self, place: int, least: int = 0) -> bytes:
        start = place
        while start > least and self._content[start - 1] in b" \t\r\n":
            start -= 1
        return self._content[start:place]


def _arrays_in(subject: Element | None) -> list[Element]:
    """The arrays of a dc:subject; none of a plain text.

    Raises:
        InputError: it holds something else.
    """
    if subject is None:
        return []
    arrays = subject.children_named(_BAG, _SEQ, _ALT)
    is_odd = len(arrays) < len(subject.children) or (arrays and subject.text())
    if is_odd or any(name.startswith(f"{{{RDF}}}") and not name.endswith("}ID") for name in subject.attributes):
        raise InputError("its dc:subject is neither a text nor an array of texts")
    return arrays


def _word_of(item: Element) -> str:
    """The text of an item, which may stand with qualifiers; "" where it has none."""
    if not _ITEM.fullmatch(item.name):
        return ""
    holder = item
    for child in item.children_named(DESCRIPTION):
        holder = child
    for value in holder.children_named(_VALUE):
        return value.text()
    return " ".join(holder.attributes.get(_VALUE, "" if holder.children else holder.text()).split())


def _movable_word(item: Element) -> str:
    """The text of an item that is nothing else.

    Raises:
        InputError: it has more to it, which would be lost.
    """
    if item.children or any(name.startswith(f"{{{RDF}}}") for name in item.attributes):
        raise InputError("its keywords stand in several arrays, with more than words in them")
    return _word_of(item)


def _qualified(element: Element, address: str, usual: str, local: str) -> tuple[bytes, bytes]:
    """The name of a new child, and the declaration of its prefix unless it has one there."""
    prefix = next((prefix for prefix, found in element.scope().items() if found == address), None)
    if prefix is None:
        return f"{usual}:{local}".encode(), f' xmlns:{usual}="{address}"'.encode()
    return (f"{prefix}:{local}" if prefix else local).encode(), b""


def _tag(name: bytes, declared: bytes, inner: bytes) -> bytes:
    return b"<" + name + declared + b">" + inner + b"</" + name + b">"


def _folded(word: str) -> str:
    """The same for words that look the same: composed and decomposed letters."""
    return unicodedata.normalize("NFC", word)


def _apply(content: bytes, edits: list[_Edit]) -> bytes:
    parts, place = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < place:
            raise InputError("its keywords have a form that can't be edited")
        parts += [content[place : edit.start], edit.text]
        place = edit.end
    return b"".join((*parts, content[place:]))
