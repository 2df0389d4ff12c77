"""Keywords in XMP of every form that RDF allows: one array of them afterwards, each once, and all else as it was."""

import pytest

from clipsearch.errors import InputError
from clipsearch.images.xmp.keywords import add_to_xmp, find_keywords

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


def rdf(*nodes: str) -> str:
    return f'<rdf:RDF {RDF} {DC} xmlns:x="http://x/">\n ' + "\n ".join(nodes) + "\n</rdf:RDF>"


def subject(inner: str) -> str:
    return f"   <dc:subject>{inner}</dc:subject>\n"


ANOTHER = (
    '<rdf:Description rdf:about="b.jpg"><dc:subject><rdf:Bag><rdf:li>dog</rdf:li></rdf:Bag></dc:subject>'
    "</rdf:Description>"
)

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
    "a bag with qualifiers": (
        document(
            f'<dc:subject rdf:parseType="Resource"><rdf:value><rdf:Bag>{OLD}</rdf:Bag></rdf:value><lr:q>1</lr:q>'
            "</dc:subject>"
        ),
        document(
            f'<dc:subject rdf:parseType="Resource"><rdf:value><rdf:Bag>{OLD}{CAT}</rdf:Bag></rdf:value><lr:q>1</lr:q>'
            "</dc:subject>"
        ),
    ),
    "a bag with qualifiers in a node": (
        document(
            subject(
                f'<rdf:Description lr:q="1"><rdf:value><rdf:Seq>{OLD}</rdf:Seq></rdf:value></rdf:Description>',
            )
        ),
        document(
            subject(
                f'<rdf:Description lr:q="1"><rdf:value><rdf:Seq>{OLD}{CAT}</rdf:Seq></rdf:value></rdf:Description>',
            )
        ),
    ),
    "numbered members": (
        document(subject("<rdf:Bag><rdf:_2>old</rdf:_2><rdf:_1>dog</rdf:_1></rdf:Bag>")),
        document(subject("<rdf:Bag><rdf:_2>old</rdf:_2><rdf:_1>dog</rdf:_1><rdf:_3>cat</rdf:_3></rdf:Bag>")),
    ),
    "numbered members and others": (
        document(subject(f"<rdf:Bag>{OLD}<rdf:_7>dog</rdf:_7></rdf:Bag>")),
        document(subject(f"<rdf:Bag>{OLD}<rdf:_7>dog</rdf:_7>{CAT}</rdf:Bag>")),
    ),
    "numbered attributes of a bag": (
        document(subject("<rdf:Bag rdf:_2='dog' rdf:_10 = \"x>\" rdf:_1='old'/>")),
        document(subject(f"<rdf:Bag>{OLD}<rdf:li>dog</rdf:li><rdf:li>x&gt;</rdf:li>{CAT}</rdf:Bag>")),
    ),
    "numbered attributes and members of a bag": (
        document(subject(f"<rdf:Bag rdf:_2='dog'>{OLD}</rdf:Bag>")),
        document(subject(f"<rdf:Bag>{OLD}<rdf:li>dog</rdf:li>{CAT}</rdf:Bag>")),
    ),
    "other attributes of a bag": (
        document(subject("<rdf:Bag rdf:value='v' lr:q='1' rdf:_1='old'/>")),
        document(subject(f"<rdf:Bag rdf:value='v' lr:q='1'>{OLD}{CAT}</rdf:Bag>")),
    ),
    "numbered attributes of the property": (document("   <dc:subject rdf:_1='old'/>\n"), document(MADE)),
    "a value as an attribute": (document("   <dc:subject rdf:value='old'></dc:subject>\n"), document(MADE)),
    "a value": (
        document('   <dc:subject rdf:parseType="Resource"><rdf:value>old</rdf:value></dc:subject>\n'),
        document(MADE),
    ),
    "members without an array": (
        document(f'   <dc:subject rdf:parseType="Resource">{OLD}</dc:subject>\n'),
        document(MADE),
    ),
    "members of a node without a type": (
        document(subject("<rdf:Description><rdf:_1>old</rdf:_1></rdf:Description>")),
        document(MADE),
    ),
    "attributes of a node without a type": (
        document(subject('<rdf:Description rdf:_1="old"/>')),
        document(MADE),
    ),
    "a text with a type": (
        document('   <dc:subject rdf:datatype="http://www.w3.org/2001/XMLSchema#string">old</dc:subject>\n'),
        document(MADE),
    ),
    "a text that is literal XML": (
        document('   <dc:subject rdf:parseType="Literal">old</dc:subject>\n'),
        document(MADE),
    ),
    "a text with a name": (
        document('   <dc:subject xml:lang="en">old</dc:subject>\n'),
        document(MADE.replace("<dc:subject", '<dc:subject xml:lang="en"')),
    ),
    "words with types": (
        document(subject('<rdf:Bag><rdf:li rdf:datatype="http://a/">old</rdf:li></rdf:Bag>')),
        document(subject(f'<rdf:Bag><rdf:li rdf:datatype="http://a/">old</rdf:li>{CAT}</rdf:Bag>')),
    ),
    "a word with qualifiers as attributes": (
        document(subject('<rdf:Bag><rdf:li rdf:value="old" lr:q="1"/></rdf:Bag>')),
        document(subject(f'<rdf:Bag><rdf:li rdf:value="old" lr:q="1"/>{CAT}</rdf:Bag>')),
    ),
    "a word that is a node": (
        document(subject("<rdf:Bag><rdf:li><rdf:Description rdf:value='old'/></rdf:li></rdf:Bag>")),
        document(subject(f"<rdf:Bag><rdf:li><rdf:Description rdf:value='old'/></rdf:li>{CAT}</rdf:Bag>")),
    ),
    "a typed node": (
        rdf(f'<x:Photo rdf:about=""><dc:subject><rdf:Bag>{OLD}</rdf:Bag></dc:subject></x:Photo>'),
        rdf(f'<x:Photo rdf:about=""><dc:subject><rdf:Bag>{OLD}{CAT}</rdf:Bag></dc:subject></x:Photo>'),
    ),
    "a typed node and a description": (
        rdf(
            '<rdf:Description rdf:about="" x:a="1"/>',
            f"<x:Photo><dc:subject><rdf:Bag>{OLD}</rdf:Bag></dc:subject></x:Photo>",
        ),
        rdf(
            '<rdf:Description rdf:about="" x:a="1"/>',
            f"<x:Photo><dc:subject><rdf:Bag>{OLD}{CAT}</rdf:Bag></dc:subject></x:Photo>",
        ),
    ),
    "another subject before it": (
        rdf(
            ANOTHER,
            f'<rdf:Description rdf:about=""><dc:subject><rdf:Bag>{OLD}</rdf:Bag></dc:subject></rdf:Description>',
        ),
        rdf(
            ANOTHER,
            f'<rdf:Description rdf:about=""><dc:subject><rdf:Bag>{OLD}{CAT}</rdf:Bag></dc:subject></rdf:Description>',
        ),
    ),
    "the only subject": (
        rdf(
            '<rdf:Description rdf:about="uuid:1" x:a="1"/>',
            f'<x:P rdf:about="uuid:1"><dc:subject><rdf:Bag>{OLD}</rdf:Bag></dc:subject></x:P>',
        ),
        rdf(
            '<rdf:Description rdf:about="uuid:1" x:a="1"/>',
            f'<x:P rdf:about="uuid:1"><dc:subject><rdf:Bag>{OLD}{CAT}</rdf:Bag></dc:subject></x:P>',
        ),
    ),
    "other prefixes": (
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description xmlns:rdf="http://a/" rdf:b="1" '
        'xmlns="http://purl.org/dc/elements/1.1/"><subject><r:Bag><r:_1>old</r:_1></r:Bag></subject></r:Description></r:RDF>',
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description xmlns:rdf="http://a/" rdf:b="1" '
        'xmlns="http://purl.org/dc/elements/1.1/"><subject><r:Bag><r:_1>old</r:_1><r:_2>cat</r:_2></r:Bag></subject>'
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


# dc:subject of other things than the picture: their words are not its own, and stay where they are.
OTHERS = [
    ANOTHER,
    '<x:Photo rdf:about="b.jpg" dc:subject="dog"/>',
    '<rdf:Description rdf:about="b.jpg"><dc:subject rdf:resource="http://a/"/></rdf:Description>',
    '<rdf:Description rdf:about="b.jpg" dc:subject="dog"/>\n <rdf:Description rdf:about="c.jpg" dc:subject="hen"/>',
    '<rdf:Description rdf:nodeID="b" dc:subject="dog"/>',
    '<rdf:Description rdf:ID="b" dc:subject="dog"/>',
    '<rdf:Description rdf:aboutEach="#b" dc:subject="dog"/>',
    '<rdf:Bag rdf:nodeID="b" dc:subject="dog"><rdf:li>dog</rdf:li></rdf:Bag>',
    '<rdf:Seq dc:subject="dog"/>',
    '<x:Photo about="b.jpg" dc:subject="dog"/>',
]
OWN = [
    ('<rdf:Description rdf:about="">{}</rdf:Description>', ""),
    ("<rdf:Description>{}</rdf:Description>", ""),
    ('<x:Photo rdf:about="">{}</x:Photo>', ""),
    ("<x:Photo>{}</x:Photo>", ""),
    ('<rdf:Description about="">{}</rdf:Description>', ""),
    ('<rdf:Description rdf:about="">{}</rdf:Description>', "<dc:subject>old</dc:subject>"),
    ('<x:Photo rdf:about="" dc:subject="old">{}</x:Photo>', ""),
]
NOT_THE_PICTURES = [
    ((OTHERS[0], '<rdf:Description rdf:about="c.jpg"/>'), "describes several resources"),
    (('<x:P><x:of><x:Q rdf:about="" dc:subject="a"/></x:of></x:P>',), "inside another property"),
    (
        ('<x:P><x:of><x:Q rdf:about=""><dc:subject>a</dc:subject></x:Q></x:of></x:P>',),
        "inside another property",
    ),
]
NOT_EDITED = [
    ('<dc:subject rdf:nodeID="a"/>', "neither"),
    (f'<dc:subject rdf:parseType="Collection">{OLD}</dc:subject>', "neither"),
    ('<dc:subject rdf:parseType="x:Other">old</dc:subject>', "neither"),
    ('<dc:subject rdf:parseType="Literal"><b>old</b></dc:subject>', "neither"),
    ('<dc:subject rdf:_1="a">b</dc:subject>', "neither"),
    ('<dc:subject rdf:datatype="http://a/"><rdf:Bag/></dc:subject>', "neither"),
    ('<dc:subject rdf:parseType="Resource"><rdf:value>a</rdf:value><lr:q>1</lr:q></dc:subject>', "neither"),
    ('<dc:subject rdf:parseType="Resource"><rdf:li rdf:resource="http://a/"/></dc:subject>', "neither"),
    ('<dc:subject rdf:value="a" lr:q="1"/>', "neither"),
    ('<dc:subject rdf:ID="a">old</dc:subject>', "a form that can't be edited"),
    ('<dc:subject><rdf:Bag/></dc:subject><dc:subject rdf:ID="a">old</dc:subject>', "a form that can't be edited"),
    (subject('<rdf:Bag rdf:nodeID="a"/>'), "neither"),
    (subject("<rdf:Bag>old</rdf:Bag>"), "neither"),
    (subject(f"<lr:Words>{OLD}</lr:Words>"), "neither"),
    (subject('<rdf:Description rdf:about="http://a/"/>'), "neither"),
    (subject(f'<rdf:Description lr:q="1">{OLD}</rdf:Description>'), "neither"),
    (subject(f'<rdf:Bag/><rdf:Bag lr:q="1">{OLD}</rdf:Bag>'), "in several arrays"),
    (subject("<rdf:Bag/><rdf:Bag><rdf:type/></rdf:Bag>"), "in several arrays"),
    (subject(f'<rdf:Bag>{OLD}<rdf:li rdf:value="old" lr:q="1"/></rdf:Bag>'), "a form that can't be edited"),
]


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize(("own", "words"), OWN)
@pytest.mark.parametrize("is_first", [True, False])
def test_keywords_of_other_things_are_not_the_pictures(own, words, other, is_first):
    own = own.format(words)
    content = rdf(other, own) if is_first else rdf(own, other)
    before = ["old"] if "old" in own else []
    assert find_keywords(content.encode()) == before
    added = add_to_xmp(content.encode(), ["cat"])
    assert find_keywords(added) == [*before, "cat"]
    assert other in added.decode()
    assert add_to_xmp(added, ["cat"]) == added


@pytest.mark.parametrize("other", OTHERS[4:9])
def test_a_picture_that_nothing_is_said_of_gets_a_description(other):
    added = add_to_xmp(rdf(other).encode(), ["cat"])
    assert find_keywords(added) == ["cat"]
    assert other in added.decode()


def test_words_within_other_properties_are_not_the_pictures():
    derived = '<x:from rdf:parseType="Resource"><dc:subject>dog</dc:subject></x:from><x:a><x:P dc:subject="hen"/></x:a>'
    content = rdf(f"<rdf:Description>{derived}</rdf:Description>").encode()
    assert find_keywords(content) == []
    assert derived in add_to_xmp(content, ["cat"]).decode()


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
@pytest.mark.parametrize("form", FORMS)
def test_the_encoding_and_line_ends_stay(encoding, mark, form):
    before, after = (mark + text.replace("\r", "").replace("\n", "\r\n") for text in FORMS[form])
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
        (
            document(subject("<rdf:Bag/><rdf:Bag><rdf:li><rdf:value>a</rdf:value></rdf:li></rdf:Bag>")).encode(),
            "in several arrays",
        ),
        *((document(form).encode(), reason) for form, reason in NOT_EDITED),
        *((rdf(*nodes).encode(), reason) for nodes, reason in NOT_THE_PICTURES),
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
