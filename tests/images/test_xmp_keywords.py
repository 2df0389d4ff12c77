"""Keywords in XMP of every form that RDF allows: one array of them afterwards, each once, and all else as it was."""

import pytest

from clipsearch.errors import InputError
from clipsearch.images.xmp_keywords import add_to_xmp, find_keywords

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
DC = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'


def document(inner: str, attributes: str = "") -> str:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">\n <rdf:RDF {RDF}>\n'
        f'  <rdf:Description rdf:about="" {DC} xmlns:lr="http://ns.adobe.com/lightroom/1.0/"{attributes}>\n'
        "   <!-- mine -->\n   <lr:hierarchicalSubject><rdf:Bag><rdf:li>trips|beach</rdf:li></rdf:Bag>"
        f"</lr:hierarchicalSubject>\n{inner}   <dc:title>Été &amp; co</dc:title>\n"
        '  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>\n'
    )


def subject(inner: str) -> str:
    return f"   <dc:subject>{inner}</dc:subject>\n"


# Written by others → the same with "cat" and "old" in it.
CAT = "<rdf:li>cat</rdf:li>"
OLD = "<rdf:li>old</rdf:li>"
MADE = (
    "   <dc:subject>\n    <rdf:Bag>\n     <rdf:li>old</rdf:li>\n     <rdf:li>cat</rdf:li>\n    </rdf:Bag>\n"
    "   </dc:subject>\n"
)
FORMS = {
    "a bag": (document(subject(f"<rdf:Bag>{OLD}</rdf:Bag>")), document(subject(f"<rdf:Bag>{OLD}{CAT}</rdf:Bag>"))),
    "a seq stays one": (
        document(subject(f"<rdf:Seq>{OLD}</rdf:Seq>")),
        document(subject(f"<rdf:Seq>{OLD}{CAT}</rdf:Seq>")),
    ),
    "an alt": (
        document(subject('<rdf:Alt ><rdf:li xml:lang="x-default">old</rdf:li></rdf:Alt >')),
        document(subject(f'<rdf:Bag ><rdf:li xml:lang="x-default">old</rdf:li>{CAT}</rdf:Bag >')),
    ),
    "a plain text": (document(subject("\n old ")), document(MADE)),
    "a text of several parts": (document(subject("o<!-- - --><![CDATA[l]]>&#100;")), document(MADE)),
    "an attribute": (
        document("", """ lr:x='a"b'\n dc:subject='o&#x6c;d' lr:y="c" """),
        document("", """ lr:x='a"b' lr:y="c" """).replace(
            "co</dc:title>\n", "co</dc:title>\n" + MADE.replace("\n    ", "\n    ")
        ),
    ),
    "with indents and comments": (
        document("   <dc:subject>\r\n\t<rdf:Bag>\r\n\t\t<rdf:li>old</rdf:li>\r\n<!-- 2 --></rdf:Bag></dc:subject>"),
        document(
            "   <dc:subject>\r\n\t<rdf:Bag>\r\n\t\t<rdf:li>old</rdf:li>\r\n\t\t<rdf:li>cat</rdf:li>\r\n<!-- 2 -->"
            "</rdf:Bag></dc:subject>"
        ),
    ),
    "two arrays in one property": (
        document(subject(f"<rdf:Seq>{OLD}</rdf:Seq> <rdf:Bag><rdf:li>dog</rdf:li>{OLD}</rdf:Bag>")),
        document(subject(f"<rdf:Seq>{OLD}<rdf:li>dog</rdf:li>{CAT}</rdf:Seq>")),
    ),
    "two properties": (
        document(subject(f"<rdf:Bag>{OLD}</rdf:Bag>") + subject("dog")),
        document(subject(f"<rdf:Bag>{OLD}<rdf:li>dog</rdf:li>{CAT}</rdf:Bag>")),
    ),
    "a word twice": (
        document(subject(f"<rdf:Bag>{OLD} {OLD}</rdf:Bag>")),
        document(subject(f"<rdf:Bag>{OLD} {CAT}</rdf:Bag>")),
    ),
    "a word with qualifiers": (
        document(subject('<rdf:Bag><rdf:li rdf:parseType="Resource"><rdf:value>old</rdf:value></rdf:li></rdf:Bag>')),
        document(
            subject(f'<rdf:Bag><rdf:li rdf:parseType="Resource"><rdf:value>old</rdf:value></rdf:li>{CAT}</rdf:Bag>')
        ),
    ),
    "other prefixes": (
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description xmlns:rdf="http://a/" rdf:b="1" '
        'xmlns="http://purl.org/dc/elements/1.1/"><subject><r:Bag><r:_1>old</r:_1></r:Bag></subject></r:Description></r:RDF>',
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description xmlns:rdf="http://a/" rdf:b="1" '
        'xmlns="http://purl.org/dc/elements/1.1/"><subject><r:Bag><r:_1>old</r:_1><r:li>cat</r:li></r:Bag></subject>'
        "</r:Description></r:RDF>",
    ),
    "several descriptions": (
        f'<rdf:RDF {RDF}>\n\t<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="3"/>\n'
        f'\t<rdf:Description {DC} dc:subject="old"/>\n\t<rdf:Description/>\n</rdf:RDF>',
        f'<rdf:RDF {RDF}>\n\t<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="3"/>\n'
        f"\t<rdf:Description {DC}>\n\t\t<dc:subject>\n\t\t\t<rdf:Bag>\n\t\t\t\t<rdf:li>old</rdf:li>\n\t\t\t\t"
        "<rdf:li>cat</rdf:li>\n\t\t\t</rdf:Bag>\n\t\t</dc:subject>\n\t</rdf:Description>\n\t<rdf:Description/>\n</rdf:RDF>",
    ),
}
WITHOUT_WORDS = [
    document(""),
    document("<dc:subject/>"),
    document("<dc:subject></dc:subject>"),
    document("\n   <dc:subject><rdf:Bag/><rdf:Alt/></dc:subject>"),
    document("\n   <dc:subject><rdf:Alt /></dc:subject>"),
    document("\n   <dc:subject><rdf:Seq>\n</rdf:Seq></dc:subject>"),
    document("<dc:subject><rdf:Bag><rdf:li/></rdf:Bag></dc:subject>"),
    f"<rdf:RDF {RDF}/>",
    f"<rdf:RDF {RDF}></rdf:RDF>",
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n <rdf:RDF {RDF}/>\n</x:xmpmeta>',
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"/>',
    '<rdf:xapmeta xmlns:rdf="adobe:ns:meta/">\n</rdf:xapmeta>',
]


@pytest.mark.parametrize(("before", "after"), FORMS.values(), ids=FORMS.keys())
def test_keywords_are_added_where_they_stand(before, after):
    assert find_keywords(before.encode())[0] == "old"
    added = add_to_xmp(before.encode(), ["cat", "old", "cat"])
    assert added.decode() == after
    assert add_to_xmp(added, ["old", "cat"]) == added


@pytest.mark.parametrize("before", WITHOUT_WORDS)
def test_an_array_is_made_where_there_is_none(before):
    assert find_keywords(before.encode()) == []
    added = add_to_xmp(before.encode(), ["cat", "old"])
    assert find_keywords(added) == ["cat", "old"]
    assert added.count(b"<dc:subject") == 1
    assert add_to_xmp(added, ["old", "cat"]) == added


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_encoding_and_line_ends_stay(encoding, mark):
    before, after = (mark + text.replace("\n", "\r\n") for text in FORMS["a bag"])
    assert add_to_xmp(before.encode(encoding), ["cat"]) == after.encode(encoding)


def test_an_old_encoding_stays():
    before = '<?xml version="1.0" encoding="ISO-8859-1"?>' + f"<rdf:RDF {RDF} é='1'/>"
    added = add_to_xmp(before.encode("latin-1"), ["猫", "é"])
    assert b" \xe9='1'" in added
    assert find_keywords(added) == ["猫", "é"]


def test_words_are_compared_as_they_look():
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    content = document(subject(f"<rdf:Bag><rdf:li>{composed}</rdf:li><rdf:li> a\n b</rdf:li></rdf:Bag>")).encode()
    assert add_to_xmp(content, [decomposed, "a b", " ", ""]) == content
    assert find_keywords(add_to_xmp(None, ["x", decomposed, composed])) == ["x", decomposed]


def test_what_xml_can_not_hold_is_left_out():
    assert find_keywords(add_to_xmp(None, ["a\x01b\ufffe", '<&>"]]>'])) == ["a b", '<&>"]]>']


ENTITY = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "cccccccc"><!ENTITY d "&b;&b;&b;">]>' + document(subject("&d;"))
EXTERNAL = '<!DOCTYPE a SYSTEM "file:///etc/passwd">' + document("")


@pytest.mark.parametrize("text", [ENTITY, EXTERNAL], ids=["entities", "external"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_a_document_type_is_refused_in_every_encoding(text, encoding):
    with pytest.raises(InputError, match="it has a document type"):
        add_to_xmp(text[text.index("<!DOCTYPE") :].encode(encoding), ["cat"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no element found"),
        (b"\xff\xd8\xff", "not UTF-8"),
        (b"\xff\xfe<", "not UTF-16-LE"),
        (ENTITY.encode("utf-7"), "document type"),
        (ENTITY.encode("cp037", "ignore"), "not UTF-8"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "its encoding, 'utf-7'"),
        (b'<?xml version="1.0" encoding="utf-16"?><a/>', "its encoding, 'utf-16'"),
        (b'<?xml version="1.0" encoding="rot13"?><a/>', "its encoding, 'rot13'"),
        (b"<a>" * 20_000 + b"</a>" * 20_000, "nested more than 100 deep"),
        (document("<a>" * 20_000).encode(), "nested more than 100 deep"),
        (document(subject("<a>" * 90 + "</a>" * 90)).encode(), "neither a text nor an array"),
        (document("&amp;&none;").encode(), "undefined entity"),
        (document("").encode() + b"\0", "not well-formed"),
        (b"<svg/>", "it has no rdf:RDF"),
        (f"<a><b><rdf:RDF {RDF}/></b></a>".encode(), "it has no rdf:RDF"),
        (document('<dc:subject rdf:resource="http://a/"/>').encode(), "neither a text nor an array"),
        (document(subject("a<rdf:Bag/>")).encode(), "neither a text nor an array"),
        (document('<dc:subject rdf:parseType="Resource"><rdf:value>a</rdf:value></dc:subject>').encode(), "neither"),
        (
            document(subject("<rdf:Bag/><rdf:Bag><rdf:li><rdf:value>a</rdf:value></rdf:li></rdf:Bag>")).encode(),
            "in several arrays",
        ),
    ],
)
def test_what_can_not_be_edited_is_refused(content, reason):
    with pytest.raises(InputError, match=reason) as caught:
        add_to_xmp(content, ["cat"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("many", ["<a/>" * 200_001, "<a " + "b='' " * 200_001 + "/>", "<a></a>" * 100_001])
def test_too_many_elements_or_attributes_are_refused(many):
    with pytest.raises(InputError, match="more than 200,000 tags or attributes"):
        add_to_xmp(document(many).encode(), ["cat"])


def test_a_long_attribute_and_many_of_them_are_read():
    content = document("", ' lr:x="' + "<>".replace("<", "") * 100_000 + '"').replace("lr:x", "lr:subject", 1)
    content = content.replace("<!-- mine -->", "<lr:a " + " ".join(f'a{n}="\'>"' for n in range(2_000)) + "/>")
    added = add_to_xmp(content.encode(), ["cat"])
    assert find_keywords(added) == ["cat"]
    assert len(added) - len(content.encode()) < 200
