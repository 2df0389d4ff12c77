"""Sidecars of any bytes, and nearly right ones: edited so that all words are there once, or one error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import InputError
from clipsearch.images.xmp.keywords import add_to_xmp, find_keywords
from tests.fuzz.budget import examples
from tests.images.xmp.test_keywords import FORMS, WITHOUT_WORDS

DOCUMENTS = [before for before, _ in FORMS.values()] + WITHOUT_WORDS
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32-le"]
PARTS = st.sampled_from(
    [
        *("<rdf:Bag>", "</rdf:Bag>", "<rdf:Alt/>", "<rdf:li>a</rdf:li>", "<rdf:li/>", "<dc:subject/>", "<!-- x -->"),
        *(
            " rdf:_1='b'",
            " rdf:value='c'",
            " rdf:parseType='Resource'",
            " rdf:about=''",
            " rdf:about='x'",
            "<rdf:_2>d</rdf:_2>",
        ),
        *("<rdf:Description dc:subject='e'/>", "<rdf:value>f</rdf:value>", " rdf:datatype='g'", " rdf:ID='h'"),
        *("<dc:subject>a</dc:subject>", " dc:subject='a'", "<?p q?>", "<![CDATA[<]]>", "<!DOCTYPE a>", "&lt;", "&a;"),
        *(' xmlns:rdf="http://a/"', ' xmlns:dc=""', ' xmlns="http://purl.org/dc/elements/1.1/"', "é", "\0", "\ufeff"),
    ]
)


def check(content: bytes, words: list[str]) -> None:
    try:
        before = find_keywords(content)
        added = add_to_xmp(content, words)
    except InputError as error:
        assert "\n" not in str(error)
        return
    after = find_keywords(added)
    assert after[: len(before)] == before
    assert len(after) == len(set(after))
    assert add_to_xmp(added, words) == added


@examples(300)
@given(
    text=st.sampled_from(DOCUMENTS),
    places=st.lists(st.tuples(st.floats(0, 1), PARTS), max_size=4),
    cut=st.none() | st.floats(0, 1),
    encoding=st.sampled_from(ENCODINGS),
    words=st.lists(st.text(max_size=8), max_size=3),
)
def test_nearly_right_documents(text, places, cut, encoding, words):
    for place, part in places:
        # Mostly where a tag ends: elsewhere it is seldom XML.
        at = text.find(">", int(place * len(text))) + (0 if part.startswith(" ") else 1)
        text = text[:at] + part + text[at:]
    if cut is not None and cut < 0.5:
        text = text[: int(2 * cut * len(text))]
    check(text.encode(encoding), words)


@examples(200)
@given(content=st.binary(max_size=200))
def test_any_bytes(content):
    with pytest.raises(InputError):
        add_to_xmp(content, ["cat"])
