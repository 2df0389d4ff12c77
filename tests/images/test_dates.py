"""Dates as cameras, editors and telephones write them: the day is kept when it is sure, and only then."""

import io
import struct
from datetime import datetime, timedelta
from typing import Any

import pytest
from PIL import Image

from clipsearch.images.containers import read_creation_time
from clipsearch.images.dates import is_doubtful, parse_date
from clipsearch.images.decode import decode_image
from clipsearch.images.xmp.properties import read_properties

DAY, EVENING = datetime(2019, 7, 4), datetime(2019, 7, 4, 23, 30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019:07:04 11:30:00 PM", EVENING),
        ("2019:07:04 11:30:00 p.m.", EVENING),
        ("2019:07:04 12:30:00 AM", datetime(2019, 7, 4, 0, 30)),
        ("2019:07:04 12:30:00 PM", datetime(2019, 7, 4, 12, 30)),
        ("2019:07:04 下午11:30:00", EVENING),
        ("2019:07:04 24:00:00", DAY),
        ("2019:07:04 24:15:30", datetime(2019, 7, 4, 0, 15, 30)),
        ("2019-07-04T23:30:00+02:00", EVENING),
        ("2019:07:04 23:30:00-0700", EVENING),
        ("2019:07:04 23:30:00 CEST", EVENING),
        ("2019-07-04 23:30:00 +0000 UTC", EVENING),
        ("2019.07.04 23.30.00", EVENING),
        ("2019-07-04-23-30-00", EVENING),
        ("2019_07_04 23_30_00", EVENING),
        ("2019;07;04 23;30;00", EVENING),
        ('"2019:07:04 23:30:00"', EVENING),
        ("2019/07/04 23h30", EVENING),
        ("20190704", DAY),
        ("20190704T233000", EVENING),
        ("20190704T233000Z", EVENING),
        ("20190704233000", EVENING),
        ("20190704_233000", EVENING),
        ("20190704 233000+0200", EVENING),
        ("2019:07:0423:30:00", EVENING),
        ("04.07.2019 23:30", EVENING),
        ("25/12/2019", datetime(2019, 12, 25)),
        ("12/25/2019 10:00 AM", datetime(2019, 12, 25, 10)),
        ("5-5-2019", datetime(2019, 5, 5)),
        ("Thu Jul  4 23:30:00 2019", EVENING),
        ("Thu Jul  4 23:30:00 CEST 2019", EVENING),
        ("Thu, 04 Jul 2019 23:30:00 GMT", EVENING),
        ("4 July 2019", DAY),
        ("July 4, 2019 11:30 PM", EVENING),
        ("2019年7月4日 下午 11:30", EVENING),
        ("2019:07:04 99:99:99", DAY),
        ("2019:07:04 23:61:00", DAY),
        ("2019:07:04   :  :  ", DAY),
        ("2019?07?04?", DAY),
        ("2019?07?04?23?30?00?", EVENING),
        ("2019?07?04 23:30:00", EVENING),
        ("2019\ufffd07\ufffd04 23\ufffd30\ufffd00", EVENING),
        ("2019·07·04", DAY),
        ("2019：07：04 23：30：00", EVENING),
        ("２０１９：０７：０４ ２３：３０：００", EVENING),
        ("2019*7*4", DAY),
        ("2019|07|04|23|30", EVENING),
        ("2019: 7: 4 23:30:00", EVENING),
        ("2019 : 07 : 04", DAY),
        ("25?12?2019", datetime(2019, 12, 25)),
        ("07?04?2019", None),
        ("2019?07", None),
        ("2019?07 04?10", None),
        ("2019-07+02:00", None),
        ("2019:07 12:30", None),
        ("2019:07:04 23:30:00:250", EVENING.replace(microsecond=250_000)),
        ("07/04/2019", None),  # April or July?
        ("2019", None),
        ("2019:07", None),
        ("2019-07-00", None),
        ("20190000", None),
        ("2019:13:45 00:00:00", None),
        ("31.04.2019", None),
        ("2019-185", None),
        ("1562275800", None),
        ("2019:07:041", None),
        ("2562:07:04 10:00:00", None),
        ("", None),
    ],
)
def test_forms(text: str, expected: datetime | None) -> None:
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    ("taken_at", "expected"),
    [
        (datetime(1970, 1, 1, 1, 0), True),
        (datetime(1980, 1, 1, 0, 3), True),
        (datetime(2000, 1, 1, 12, 7), True),
        (datetime(2099, 12, 31, 23, 59), True),
        (datetime(1995, 1, 1), False),
        (datetime(1995, 6, 1), False),
        (datetime(2026, 3, 1, 14, 0), False),  # in a time zone that is ahead
    ],
)
def test_clocks_that_were_never_set_are_doubted(taken_at: datetime, expected: bool) -> None:
    assert is_doubtful(taken_at, now=datetime(2026, 3, 1)) is expected


@pytest.mark.parametrize(
    "text",
    [
        "2019:07:04 23:30:00",
        "\0\0 2019:07:04 23:30:00\0\0\0",
        "2019:07:04 23:30:00\0 PM 10:00",
        "2019\x0007\x0004\x0023\x0030\x0000",
        "2019\x0007\x0004 23:30:00",
        "2019\x8107\x8104 23:30:00",
        "2019\xb707\xb704 23\xb730\xb700",
        "2019:07:04 23:30:00   ",
    ],
)
def test_forms_as_bytes_of_exif(text: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = text.encode("latin-1")
    assert decode_image(_picture(exif=exif)).metadata.taken_at == EVENING


def test_a_picture_with_a_doubtful_date_says_so() -> None:
    ahead = datetime.now() + timedelta(days=400)
    for text, expected in (("1970:01:01 00:00:10", True), (f"{ahead:%Y:%m:%d %H:%M:%S}", True), ("2019:07:04", False)):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = text
        assert decode_image(_picture(exif=exif)).metadata.is_date_doubtful is expected


XMP = """<?xpacket begin="\ufeff"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:e="http://ns.adobe.com/exif/1.0/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" {attributes}>{elements}
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""

OTHER = (
    """<rdf:Description rdf:about="b.jpg" xmlns:e="http://ns.adobe.com/exif/1.0/" e:DateTimeOriginal="2019-07-04"/>"""
)


def _xmp(attributes: str = "", elements: str = "") -> bytes:
    return XMP.format(attributes=attributes, elements=elements).encode()


def _picture(file_format: str = "JPEG", **options: Any) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (16, 8)).save(content, file_format, **options)
    return content.getvalue()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF"])
def test_the_original_date_in_xmp_comes_before_that_of_an_edit(file_format: str) -> None:
    decode_image(_picture())  # registers HEIF, so that it can be written
    exif = Image.Exif()
    exif[0x0132] = "2024:01:01 10:00:00"
    packet = _xmp(elements="<e:DateTimeOriginal>2019-07-04T23:30:00.25+02:00</e:DateTimeOriginal>")
    if file_format == "PNG":
        from PIL.PngImagePlugin import PngInfo

        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", packet.decode())
        options: dict[str, Any] = {"pnginfo": text, "exif": exif}
    elif file_format == "TIFF":
        options = {"tiffinfo": {700: packet, 0x0132: "2024:01:01 10:00:00"}}
    else:
        options = {"xmp": packet, "exif": exif.tobytes()}
    taken_at = decode_image(_picture(file_format, **options)).metadata.taken_at
    assert taken_at == EVENING.replace(microsecond=250_000)


def test_dates_are_believed_in_the_order_of_how_near_they_are_to_the_shot() -> None:
    exif = Image.Exif()
    exif[0x0132] = "2006:02:02"
    ifd = exif.get_ifd(0x8769)
    jpeg = _picture(exif=exif)
    assert decode_image(jpeg).metadata.taken_at == datetime(2006, 2, 2)
    jpeg = _picture(exif=exif, xmp=_xmp('xmp:CreateDate="2005-02-02"'))
    assert decode_image(jpeg).metadata.taken_at == datetime(2005, 2, 2)
    ifd[0x9004] = "2004:02:02"
    jpeg = _picture(exif=exif, xmp=_xmp('xmp:CreateDate="2005-02-02"'))
    assert decode_image(jpeg).metadata.taken_at == datetime(2004, 2, 2)
    assert decode_image(_with_iptc(jpeg, "20030202")).metadata.taken_at == datetime(2003, 2, 2)
    jpeg = _picture(exif=exif, xmp=_xmp('xmp:CreateDate="2005-02-02" photoshop:DateCreated="2002-02-02"'))
    assert decode_image(_with_iptc(jpeg, "20030202")).metadata.taken_at == datetime(2002, 2, 2)
    ifd[0x9003] = "2001:02:02"
    jpeg = _picture(exif=exif, xmp=_xmp('photoshop:DateCreated="2002-02-02"'))
    assert decode_image(jpeg).metadata.taken_at == datetime(2001, 2, 2)


def _with_iptc(jpeg: bytes, date: str, time: str = "") -> bytes:
    """A JPEG with an IPTC block in a Photoshop resource."""
    records = b"".join(
        struct.pack(">BBBH", 0x1C, 2, number, len(value)) + value.encode() for number, value in ((55, date), (60, time))
    )
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records + b"\0" * (len(records) % 2)
    segment = b"Photoshop 3.0\0" + resource
    return jpeg[:2] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def test_iptc_gives_the_time_too() -> None:
    jpeg = _with_iptc(_picture(), "20190704", "233000+0200")
    assert decode_image(jpeg).metadata.taken_at == EVENING


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


SECONDS = int((EVENING - datetime(1904, 1, 1)).total_seconds())


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        (_box(b"moov", _box(b"mvhd", b"\0" * 4 + struct.pack(">II", SECONDS, 0) + b"\0" * 90)), EVENING),
        (_box(b"moov", _box(b"mvhd", b"\1" + b"\0" * 3 + struct.pack(">QQ", SECONDS, 0) + b"\0" * 90)), EVENING),
        (_box(b"moov", _box(b"mvhd", b"\0" * 100)), None),
        (_box(b"moov", _box(b"mvhd", b"\1\0\0\0" + b"\xff" * 90)), None),
        (
            _box(
                b"meta",
                b"\0" * 4
                + _box(b"hdlr", b"\0" * 9)
                + _box(b"iprp", _box(b"ipco", _box(b"crtt", b"\0" * 4 + struct.pack(">Q", SECONDS * 1_000_000)))),
            ),
            EVENING,
        ),
        (struct.pack(">I", 0xFFFFFFFF) + b"moov", None),
        (_box(b"free", b"") * 2_000 + _box(b"moov", _box(b"mvhd", b"\0" * 4 + struct.pack(">II", SECONDS, 0))), None),
        (b"\0\0\0", None),
    ],
)
def test_containers_say_when_they_were_made(boxes: bytes, expected: datetime | None) -> None:
    assert read_creation_time(io.BytesIO(_box(b"ftyp", b"heic\0\0\0\0") + boxes)) == expected


def test_a_container_counts_where_nothing_else_does() -> None:
    decode_image(_picture())  # registers HEIF
    made = _box(b"moov", _box(b"mvhd", b"\0" * 4 + struct.pack(">II", SECONDS, 0) + b"\0" * 90))
    assert decode_image(_picture("HEIF") + made).metadata.taken_at == EVENING
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2001:02:02"
    assert decode_image(_picture("HEIF", exif=exif.tobytes()) + made).metadata.taken_at == datetime(2001, 2, 2)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"no XML",
        None,
        17,
        _xmp().replace(b"<?xpacket", b"<!DOCTYPE x [<!ENTITY a 'b'>]><?xpacket", 1),
        _xmp()[:200],
        b"<a>" * 30_000,
        b"<?xml version='1.0' encoding='klingon'?><a/>",
        _xmp('e:DateTimeOriginal=" "'),
    ],
)
def test_packets_that_say_nothing(packet: object) -> None:
    assert read_properties(packet, ["exif:DateTimeOriginal"]) == {}


@pytest.mark.parametrize(
    "packet",
    [
        _xmp(elements='<xmp:Of><rdf:Description e:DateTimeOriginal="2019-07-04"/></xmp:Of>'),
        _xmp(elements='<xmp:Of rdf:parseType="Resource"><e:DateTimeOriginal>2019-07-04</e:DateTimeOriginal></xmp:Of>'),
        _xmp().replace(b"</rdf:RDF>", OTHER.encode() + b"</rdf:RDF>"),
    ],
)
def test_dates_of_other_pictures_are_not_this_ones(packet: bytes) -> None:
    assert b"2019-07-04" in packet
    assert read_properties(packet, ["exif:DateTimeOriginal"]) == {}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_packets_in_any_encoding(encoding: str) -> None:
    text = _xmp('e:DateTimeOriginal="2019-07-04"').decode().replace("\ufeff", "")
    packet = ("\ufeff" + text if encoding == "utf-16-be" else text).encode(encoding)
    assert read_properties(packet, ["exif:DateTimeOriginal"]) == {"exif:DateTimeOriginal": "2019-07-04"}
