"""What people and their programs have written into a picture is read, whoever wrote it, and nothing raises."""

import io
import struct
from typing import Any

import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from clipsearch.description import MOST_CHARACTERS, MOST_CHARACTERS_OF_A_NAME, MOST_NAMES, NOTHING, Description
from clipsearch.images.decode import decode_image, read_header
from clipsearch.images.descriptions.embedded import read_description
from tests.support.xmp import array, iptc_record, languages, packet, picture

FACE = """<rdf:li rdf:parseType="Resource"><mwg-rs:Name>{0}</mwg-rs:Name>{1}</rdf:li>"""


def described(content: bytes) -> Description:
    found = read_header(content).description
    assert found == read_description(Image.open(io.BytesIO(content)))
    return found


def from_xmp(elements: str = "", attributes: str = "") -> Description:
    return described(picture(xmp=packet(elements, attributes)))


def from_exif(tags: dict[int, Any], comment: bytes | None = None, order: str = "<") -> Description:
    exif = Image.Exif()
    exif.endian = order
    for tag, value in tags.items():
        exif[tag] = value
    if comment is not None:
        exif.get_ifd(0x8769)[0x9286] = comment
    return described(picture(exif=exif))


def utf_16(text: str) -> bytes:
    return (text + "\0").encode("utf-16-le")


def test_a_picture_about_which_nothing_is_written() -> None:
    assert described(picture()) is NOTHING
    assert from_xmp(attributes='xmp:CreatorTool="x" xmp:Rating="0"') == NOTHING


def test_all_that_xmp_says() -> None:
    elements = (
        languages("dc:title", de="Hafen", x_default="Harbour")
        + languages("dc:description", x_default="Boats\nin the harbour")
        + languages("dc:rights", x_default="© 2019")
        + array("dc:creator", ["Anna", "Bob &amp; Co"], "Seq")
        + array("dc:subject", ["boat", "Paris", "France", "Places", "Boat"])
        + array("lr:hierarchicalSubject", ["Places|France|Paris", "Places|France"])
    )
    attributes = (
        'xmp:Rating="4" xmp:Label="Rot" photoshop:City="Marseille" photoshop:State="Provence" '
        'photoshop:Country="France" Iptc4xmpCore:Location="Old Harbour"'
    )
    expected = Description(
        title="Harbour",
        caption="Boats\nin the harbour",
        keywords=("Places/France/Paris", "boat"),
        rating=4,
        label="red",
        creator="Anna; Bob & Co",
        copyright="© 2019",
        location="Old Harbour",
        city="Marseille",
        region="Provence",
        country="France",
    )
    assert from_xmp(elements, attributes) == expected
    content = picture(xmp=packet(elements, attributes))
    assert decode_image(content).metadata.description == expected


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_xmp_of_every_format(file_format: str) -> None:
    xmp = packet(attributes='dc:title="Harbour"')
    options: dict[str, Any] = {"xmp": xmp}
    if file_format == "PNG":
        from PIL.PngImagePlugin import PngInfo

        options = {"pnginfo": PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    if file_format == "TIFF":
        options = {"tiffinfo": {700: xmp}}
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, file_format, **options)
    assert decode_image(buffer.getvalue()).metadata.description == Description(title="Harbour")


class TestKeywords:
    @pytest.mark.parametrize(
        "elements",
        [
            array("digiKam:TagsList", ["Places/France/Paris", "boat"], "Seq"),
            array("MicrosoftPhoto:LastKeywordXMP", ["Places/France/Paris", "boat"]),
            array("microsoft:LastKeywordXMP", ["Places/France/Paris", "boat"]),
            array("mediapro:CatalogSets", ["Places|France|Paris", "boat"]),
            array("expressionmedia:CatalogSets", ["Places|France|Paris", "boat"]),
            array("lr:hierarchicalSubject", ["Places|France|Paris", "boat"])
            + array("digiKam:TagsList", ["Places", "Places/France", "Places/France/Paris", "boat"], "Seq")
            + array("dc:subject", ["boat", "Paris"]),
            array("dc:subject", ["Places|France|Paris", "boat", "paris"]),
            '<acdsee:categories>&lt;Categories&gt;&lt;Category Assigned="0"&gt;Places&lt;Category Assigned="0"&gt;'
            'France&lt;Category Assigned="1"&gt;Paris&lt;/Category&gt;&lt;/Category&gt;&lt;/Category&gt;'
            '&lt;Category Assigned="1"&gt;boat&lt;/Category&gt;&lt;/Categories&gt;</acdsee:categories>',
        ],
    )
    def test_programs_that_write_levels(self, elements: str) -> None:
        assert from_xmp(elements).keywords == ("Places/France/Paris", "boat")

    def test_categories_that_are_not_xml(self) -> None:
        assert from_xmp("<acdsee:categories>&lt;Categories&gt;</acdsee:categories>") == NOTHING

    def test_they_are_bounded(self) -> None:
        many = from_xmp(array("dc:subject", [f"word {number}" for number in range(2 * MOST_NAMES)]))
        assert many.keywords == tuple(f"word {number}" for number in range(MOST_NAMES))
        assert from_xmp(array("dc:subject", ["x" * 1_000])).keywords == ("x" * MOST_CHARACTERS_OF_A_NAME,)


@pytest.mark.parametrize(
    ("attributes", "rating"),
    [
        ('xmp:Rating="5"', 5),
        ('xmp:Rating="-1"', -1),
        ('xmp:Rating="3.5"', 4),
        ('xmp:Rating="6"', None),
        ('xmp:Rating="nan"', None),
        ('xmp:Rating="five"', None),
        *((f'MicrosoftPhoto:Rating="{percent}"', stars) for stars, percent in enumerate((1, 25, 50, 75, 99), 1)),
        ('MicrosoftPhoto:Rating="0"', None),
        ('microsoft:Rating="50"', 3),
        ('acdsee:rating="2"', 2),
        ('xmp:Rating="2" MicrosoftPhoto:Rating="99"', 2),
        ('digiKam:PickLabel="1" xmp:Rating="0"', -1),
        ('digiKam:PickLabel="1" xmp:Rating="2"', 2),
        ('xmpDM:pick="-1"', -1),
    ],
)
def test_ratings(attributes: str, rating: int | None) -> None:
    assert from_xmp(attributes=attributes).rating == rating


@pytest.mark.parametrize(
    ("elements", "label"),
    [
        *((f"<xmp:Label>{name}</xmp:Label>", "green") for name in ("Green", "Grün", "Vert", "Verde", "Groen")),
        *((f"<xmp:Label>{name}</xmp:Label>", "purple") for name in ("Purple", "Lila", "Violet", "Paars", "To Do")),
        *((f"<xmp:Label>{name}</xmp:Label>", "red") for name in ("Select", "Vermelho", "Rosso", "ROUGE")),
        ("<xmp:Label>Winner Alt</xmp:Label>", "winner alt"),
        ("<xmp:Label>None</xmp:Label><digiKam:ColorLabel>0</digiKam:ColorLabel>", None),
        ("<digiKam:ColorLabel>2</digiKam:ColorLabel>", "orange"),
        ("<digiKam:ColorLabel>6</digiKam:ColorLabel>", "purple"),
        ("<digiKam:ColorLabel>17</digiKam:ColorLabel>", None),
        (array("darktable:colorlabels", ["1", "4"], "Seq"), "yellow"),
    ],
)
def test_labels(elements: str, label: str | None) -> None:
    assert from_xmp(elements).label == label


class TestPeople:
    def test_regions_of_faces(self) -> None:
        regions = (
            FACE.format("Anna", "<mwg-rs:Type>Face</mwg-rs:Type>")
            + FACE.format("Rex", "<mwg-rs:Type>Pet</mwg-rs:Type>")
            + FACE.format("Zoë", "")
            + '<rdf:li><rdf:Description mwg-rs:Name="李雷" mwg-rs:Type="Face"/></rdf:li>'
            + '<rdf:li mwg-rs:Name="Anna" mwg-rs:Type="Face"/>'
        )
        nested = f"<mwg-rs:RegionList><rdf:Bag>{regions}</rdf:Bag></mwg-rs:RegionList>"
        expected = ("Anna", "Zoë", "李雷")
        assert from_xmp(f'<mwg-rs:Regions rdf:parseType="Resource">{nested}</mwg-rs:Regions>').people == expected
        described_node = f"<mwg-rs:Regions><rdf:Description>{nested}</rdf:Description></mwg-rs:Regions>"
        assert from_xmp(described_node).people == expected

    def test_other_forms(self) -> None:
        elements = (
            '<MP:RegionInfo><rdf:Description><x xmlns="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"><rdf:Bag>'
            '<rdf:li><rdf:Description MPReg:PersonDisplayName="Carl"/></rdf:li></rdf:Bag></x></rdf:Description>'
            "</MP:RegionInfo>"
            + array("Iptc4xmpExt:PersonInImage", ["Dora", "Carl"])
            + "<Iptc4xmpExt:PersonInImageWDetails><rdf:Bag><rdf:li rdf:parseType='Resource'>"
            + languages("Iptc4xmpExt:PersonName", x_default="Emil")
            + "</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImageWDetails>"
        )
        assert from_xmp(elements).people == ("Carl", "Dora", "Emil")
        assert from_xmp(array("digiKam:TagsList", ["People/Anna"])) == Description(keywords=("People/Anna",))


def test_places_in_structures() -> None:
    fields = "<Iptc4xmpExt:City>{0}</Iptc4xmpExt:City><Iptc4xmpExt:CountryName>{1}</Iptc4xmpExt:CountryName>"
    shown = f"<Iptc4xmpExt:LocationShown><rdf:Bag><rdf:li rdf:parseType='Resource'>{fields.format('Rome', 'Italy')}"
    shown += "</rdf:li></rdf:Bag></Iptc4xmpExt:LocationShown>"
    created = shown.replace("LocationShown", "LocationCreated").replace("Rome", "Pisa")
    assert from_xmp(shown) == Description(city="Rome", country="Italy")
    assert from_xmp(shown + created) == Description(city="Pisa", country="Italy")
    assert from_xmp(shown, 'photoshop:State="Lazio"') == Description(region="Lazio")


def test_texts_that_cameras_write_say_nothing() -> None:
    for text in ("OLYMPUS DIGITAL CAMERA         ", "SONY DSC", "DCIM\\100MEDIA\\DJI_0001.JPG", "SAMSUNG", "oplus_32"):
        assert from_exif({0x010E: text}) == NOTHING
        assert from_xmp(languages("dc:description", x_default=text)) == NOTHING
    for text in ("KONICA MINOLTA DIGITAL CAMERA", "Minolta DSC", "<Digimax S500 / Kenox S500>", "Exif_JPEG_PICTURE"):
        assert from_exif({0x010E: text}) == NOTHING
    assert from_exif({0x010E: "My digital camera on a table"}).caption == "My digital camera on a table"
    assert from_exif({0x010E: "SONY DSC", 0x9C9C: utf_16("A comment")}).caption == "A comment"


def test_texts_are_cleaned_and_bounded() -> None:
    dirty = from_xmp(
        languages("dc:description", x_default=" a&#x9;b \n\n\n\n c\u202e&#xD;d " + "x" * 2 * MOST_CHARACTERS)
    )
    assert dirty.caption is not None
    assert dirty.caption.startswith("a b\n\nc\ndx") or dirty.caption.startswith("a b\n\nc\nd x")
    assert len(dirty.caption) <= MOST_CHARACTERS
    assert from_xmp(languages("dc:title", x_default="a\nb\u2028c" + "x" * 999)).title == ("a b c" + "x" * 999)[:300]
    family = "\U0001f468\u200d\U0001f469"
    assert from_xmp(languages("dc:title", x_default=family)).title == family


UTF_8 = iptc_record((1, 90), b"\x1b%G")
IPTC = [
    ((2, 5), "Hafen von Köln"),
    ((2, 25), "Käse"),
    ((2, 25), "boat"),
    ((2, 80), "Anna"),
    ((2, 80), "Bob"),
    ((2, 90), "Köln"),
    ((2, 92), "Dom"),
    ((2, 95), "NRW"),
    ((2, 101), "Germany"),
    ((2, 116), "© 2019"),
    ((2, 120), "Boats\rin the harbour"),
]
OF_IPTC = Description(
    title="Hafen von Köln",
    caption="Boats\nin the harbour",
    keywords=("Käse", "boat"),
    creator="Anna; Bob",
    copyright="© 2019",
    location="Dom",
    city="Köln",
    region="NRW",
    country="Germany",
)


class TestIptc:
    @pytest.mark.parametrize(("encoding", "start"), [("utf-8", UTF_8), ("utf-8", b""), ("cp1252", b"")])
    def test_all_that_it_says(self, encoding: str, start: bytes) -> None:
        records = start + b"".join(iptc_record(dataset, text.encode(encoding)) for dataset, text in IPTC)
        assert described(picture(iptc=records)) == OF_IPTC
        assert described(picture(iptc=records + b"\0\0\0garbage")) == OF_IPTC
        assert described(picture(iptc=records + b"\x1c\x02\x05\xff\xff")) == OF_IPTC

    @pytest.mark.parametrize("kind", [1, 4, 7])
    def test_of_a_tiff(self, kind: int) -> None:
        records = UTF_8 + b"".join(iptc_record(dataset, text.encode()) for dataset, text in IPTC)
        records += b"\0" * (-len(records) % 4)
        tags = ImageFileDirectory_v2()
        tags.tagtype[33723] = 7
        tags[33723] = records
        buffer = io.BytesIO()
        Image.new("RGB", (16, 8)).save(buffer, "TIFF", tiffinfo=tags)
        # Photoshop declares numbers of four bytes, which Pillow can't write.
        entry, count = struct.pack("<HHI", 33723, 7, len(records)), len(records) // 4 if kind == 4 else len(records)
        assert entry in buffer.getvalue()
        assert described(buffer.getvalue().replace(entry, struct.pack("<HHI", 33723, kind, count))) == OF_IPTC

    def test_a_character_that_is_cut_off(self) -> None:
        cut = "für Müller und Söhn".encode()[:-3]
        assert described(picture(iptc=iptc_record((2, 120), cut))).caption == "für Müller und S"

    def test_long_records(self) -> None:
        text = b"x" * 1_000
        record = struct.pack(">BBBHI", 0x1C, 2, 120, 0x8004, len(text)) + text
        assert described(picture(iptc=record + iptc_record((2, 5), b"T"))) == Description(
            title="T", caption="x" * 1_000
        )


class TestExif:
    def test_all_that_windows_writes(self) -> None:
        tags = {
            0x9C9B: utf_16("Hafen 東京"),
            0x9C9C: utf_16("Boats\r\nin the harbour"),
            0x9C9D: utf_16("Anna;Bob"),
            0x9C9E: utf_16("boat;Käse;"),
            0x4746: 4,
            0x4749: 75,
            0x8298: "© 2019".encode(),
        }
        assert from_exif(tags) == Description(
            title="Hafen 東京",
            caption="Boats\nin the harbour",
            keywords=("boat", "Käse"),
            rating=4,
            creator="Anna; Bob",
            copyright="© 2019",
        )

    @pytest.mark.parametrize(
        ("tags", "rating"), [({0x4749: 25}, 2), ({0x4746: 0, 0x4749: 0}, None), ({0x4746: 9}, None)]
    )
    def test_ratings(self, tags: dict[int, int], rating: int | None) -> None:
        assert from_exif(tags).rating == rating

    def test_texts_in_utf_8(self) -> None:
        assert from_exif({0x010E: "Käse 東京".encode(), 0x013B: "Zoë".encode()}) == Description(
            caption="Käse 東京", creator="Zoë"
        )

    def test_copyright_of_photographer_and_editor(self) -> None:
        assert from_exif({0x8298: b"Anna\0Bob\0"}).copyright == "Anna; Bob"
        assert from_exif({0x8298: b" \0Bob\0"}).copyright == "Bob"

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize(
        ("comment", "caption"),
        [
            (b"ASCII\0\0\0A comment\0\0\0", "A comment"),
            (b"ASCII\0\0\0" + "Käse".encode(), "Käse"),
            (b"\0" * 8 + b"A comment", "A comment"),
            (b"UNICODE\0" + "A comment".encode("utf-16-le"), "A comment"),
            (b"UNICODE\0" + "A comment".encode("utf-16-be"), "A comment"),
            (b"UNICODE\0" + "東京の港の写真".encode("utf-16-le"), "東京の港の写真"),
            (b"UNICODE\0" + "東京の港の写真".encode("utf-16-be"), "東京の港の写真"),
            (b"JIS\0\0\0\0\0" + "東京".encode("iso2022_jp"), "東京"),
            (b"A comment", "A comment"),
            (b"ASCII\0\0\0" + b" " * 40, None),
            (b"\0" * 264, None),
            (b"\0" * 8 + bytes(range(1, 256)), None),
            (b'ASCII\0\0\0{"sensor_type":"rear"}', None),
            (b"", None),
        ],
    )
    def test_comments(self, comment: bytes, caption: str | None, order: str) -> None:
        assert from_exif({}, comment, order).caption == caption


def test_sources_are_trusted_in_order() -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x4746] = "of EXIF", "Exif Artist", 3
    records = b"".join(
        iptc_record(dataset, text) for dataset, text in [((2, 120), b"of IPTC"), ((2, 25), b"iptc"), ((2, 90), b"Ulm")]
    )
    xmp = packet(array("dc:subject", ["xmp"]), 'photoshop:Country="Italy" xmp:Rating="0"')
    assert described(picture(xmp=xmp, iptc=records, exif=exif)) == Description(
        caption="of IPTC", keywords=("xmp", "iptc"), rating=3, creator="Exif Artist", country="Italy"
    )


def test_damaged_metadata_say_what_they_can() -> None:
    exif = Image.Exif()
    exif[0x013B] = "Anna"
    content = picture(xmp=packet()[:-30], iptc=b"\x1c\x02", exif=exif)
    assert described(content) == Description(creator="Anna")
