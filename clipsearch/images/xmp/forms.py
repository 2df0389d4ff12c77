"""Parse the forms in which RDF/XML writes keywords, and reject those that can't be read reliably.

The productions that can hold them are all supported or rejected here:

* nodeElement: an rdf:Description or a typed node, with dc:subject as a property attribute or as property elements.
* literalPropertyElt: a text, with rdf:datatype or xml:lang; parseTypeLiteralPropertyElt without elements is one too.
* resourcePropertyElt: rdf:Bag, rdf:Seq or rdf:Alt, or an rdf:Description with members or an rdf:value.
* parseTypeResourcePropertyElt and emptyPropertyElt with property attributes: members, or an rdf:value, written inline.
* Rejected: rdf:resource, rdf:nodeID, parseType="Collection" and others, which are not texts, or are stored elsewhere.

Members of an array are rdf:li and rdf:_n, these also as attributes. Each member is again a property element.

Source: RDF 1.1 XML Syntax, W3C 2014, 7.2; XMP Specification Part 1, Adobe 2012, 7.4 (rdf:about), 7.8 (qualifiers).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from clipsearch.images.xmp.document import ABOUT, DESCRIPTION, RDF, Element, UnsupportedFormError

ARRAYS = (BAG, SEQ, ALT) = tuple(f"{{{RDF}}}{name}" for name in ("Bag", "Seq", "Alt"))
_VALUE, _LI, _ID, _NODE_ID, _RESOURCE, _PARSE_TYPE, _DATATYPE = (
    f"{{{RDF}}}{name}" for name in ("value", "li", "ID", "nodeID", "resource", "parseType", "datatype")
)
_SYNTAX = {ABOUT, _ID, _NODE_ID, _RESOURCE, _PARSE_TYPE, _DATATYPE}
_OTHER_ABOUTS = {_ID, _NODE_ID, f"{ABOUT}Each", f"{ABOUT}EachPrefix"}
_MORE = {_ID, _NODE_ID, _RESOURCE, _PARSE_TYPE, _VALUE}
_NUMBERED = re.compile(rf"\{{{re.escape(RDF)}\}}_([1-9]\d{{0,8}})", re.ASCII)
_XML = "http://www.w3.org/XML/1998/namespace"
_Node = TypeVar("_Node")
_NO_TEXTS = "its dc:subject is neither a text nor an array of texts"


@dataclass(frozen=True, slots=True)
class SubjectForm:
    """One dc:subject element.

    Attributes:
        arrays: its Bags, Seqs and Alts.
        words: the words outside of them.
        is_plain: it holds nothing else, so that it can be removed or rewritten.
    """

    element: Element
    arrays: tuple[Element, ...]
    words: tuple[str, ...]
    is_plain: bool


def choose_nodes(nodes: Iterable[tuple[_Node, str, Mapping[str, str]]]) -> list[_Node]:
    """Return the nodes that describe the picture: those about "", or else about the document's only resource.

    Args:
        nodes: each with its name and attributes, "{namespace}local".

    Raises:
        UnsupportedFormError: it describes several resources, and none is the picture.
    """
    named = [(node, _subject_of(name, attributes)) for node, name, attributes in nodes]
    names = {name for _, name in named if name is not None}
    if "" not in names and len(names) > 1:
        raise UnsupportedFormError("it describes several resources, and no rdf:about says which is the picture")
    wanted = "" if "" in names else next(iter(names), "")
    return [node for node, name in named if name == wanted]


def _subject_of(name: str, attributes: Mapping[str, str]) -> str | None:
    """Return what a node is about; None for a node inside the document. XMP omits rdf:about, or its prefix."""
    about = attributes.get(ABOUT, attributes.get("about"))
    if about is not None:
        return about.strip()
    is_elsewhere = name != DESCRIPTION and name.startswith(f"{{{RDF}}}")
    return None if is_elsewhere or _OTHER_ABOUTS & attributes.keys() else ""


def read_subject(subject: Element) -> SubjectForm:
    """Parse a dc:subject element.

    Raises:
        UnsupportedFormError: it holds something other than texts and arrays of texts.
    """
    attributes = subject.attributes
    if {_RESOURCE, _NODE_ID} & attributes.keys() or attributes.get(_PARSE_TYPE) not in (None, "Literal", "Resource"):
        raise UnsupportedFormError(_NO_TEXTS)
    is_inline = any(name == _VALUE or _NUMBERED.fullmatch(name) for name in attributes)
    if attributes.get(_PARSE_TYPE) == "Resource" or (is_inline and not subject.children):
        return _read_node(subject, subject)
    is_bare = _ID not in attributes and not _has_properties(attributes)
    if not subject.children:
        return SubjectForm(subject, (), _words([subject.text()]), is_bare)
    arrays = subject.children_named(*ARRAYS)
    node = subject.children[0]
    if is_inline or subject.text() or {_PARSE_TYPE, _DATATYPE} & attributes.keys():
        raise UnsupportedFormError(_NO_TEXTS)
    if len(arrays) == len(subject.children):
        return SubjectForm(subject, tuple(map(_check_array, arrays)), (), is_bare)
    if len(subject.children) > 1 or node.name != DESCRIPTION or {ABOUT, _NODE_ID, _ID} & node.attributes.keys():
        raise UnsupportedFormError(_NO_TEXTS)
    return _read_node(subject, node)


def _read_node(subject: Element, node: Element) -> SubjectForm:
    """Parse a node without a type: with members, or with a value, which may be an array and then has qualifiers."""
    values, members = node.children_named(_VALUE), [child for child in node.children if is_member(child)]
    inline = [node.attributes.get(_VALUE, ""), *attribute_members(node)]
    if len(values) == 1 and not members and not any(inline) and values[0].children_named(*ARRAYS):
        form = read_subject(values[0])
        return SubjectForm(subject, form.arrays, form.words, False)
    is_all = len(node.children) == len(values) + len(members) and all(map(is_plain, (*values, *members)))
    if node.text() or not is_all or _has_properties({*node.attributes} - {_VALUE}):
        raise UnsupportedFormError(_NO_TEXTS)
    return SubjectForm(
        subject, (), _words([*map(word_of, (*values, *members)), *inline]), _ID not in subject.attributes
    )


def _has_properties(names: Iterable[str]) -> bool:
    """Return whether one of the attributes is neither syntax nor a member."""
    others = {name for name in names if name.startswith("{") and not _NUMBERED.fullmatch(name)}
    return any(not name.startswith(f"{{{_XML}}}") for name in others - _SYNTAX)


def _words(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for text in texts if (word := " ".join(text.split())))


def _check_array(array: Element) -> Element:
    """Return the array after a check of its own content.

    Raises:
        UnsupportedFormError: its members are stored elsewhere, or it has text between them.
    """
    if array.text() or {ABOUT, _NODE_ID} & array.attributes.keys():
        raise UnsupportedFormError(_NO_TEXTS)
    return array


def is_member(element: Element) -> bool:
    return element.name == _LI or _NUMBERED.fullmatch(element.name) is not None


def attribute_members(element: Element) -> list[str]:
    """Return the texts of the attributes rdf:_1, rdf:_2, …, ordered by number."""
    found = [(int(match[1]), text) for name, text in element.attributes.items() if (match := _NUMBERED.fullmatch(name))]
    return [text for _, text in sorted(found)]


def member_attributes(element: Element) -> set[str]:
    """Return the names of the attributes rdf:_1, rdf:_2, …."""
    return set(filter(_NUMBERED.fullmatch, element.attributes))


def text_attributes(subject: Element) -> set[str]:
    """Return the names of attributes that hold the keywords of a dc:subject, or the type of its text."""
    return member_attributes(subject) | {_VALUE, _PARSE_TYPE, _DATATYPE} & subject.attributes.keys()


def next_member(array: Element) -> str:
    """Name the next member: numbered if all members are, as rdf:li would be counted from 1."""
    numbers = [_NUMBERED.fullmatch(child.name) for child in array.children if is_member(child)]
    known = [int(number[1]) for number in numbers if number]
    return f"_{max(known) + 1}" if known and len(known) == len(numbers) else "li"


def is_plain(item: Element) -> bool:
    """Return whether a member is a text and nothing else."""
    return not item.children and not item.attributes.keys() & _MORE and not _has_properties(item.attributes)


def word_of(item: Element) -> str:
    """Return the text of a member, which may have qualifiers; "" where it has none."""
    holder = item
    for child in item.children_named(DESCRIPTION):
        holder = child
    for value in holder.children_named(_VALUE):
        return value.text()
    return " ".join(holder.attributes.get(_VALUE, "" if holder.children else holder.text()).split())


def movable_words(array: Element) -> list[str]:
    """Return the texts of an array that holds nothing else.

    Raises:
        UnsupportedFormError: it holds more, which would be lost.
    """
    is_bare = _ID not in array.attributes and not _has_properties(array.attributes)
    if not is_bare or not all(is_member(child) and is_plain(child) for child in array.children):
        raise UnsupportedFormError("its keywords are in several arrays that hold more than words")
    return list(_words([*map(word_of, array.children), *attribute_members(array)]))
