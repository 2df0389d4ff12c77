"""What sidecars say: XMP of any program, and the JSON of Google Takeout."""

import json
from datetime import datetime
from typing import Any

import pytest

from clipsearch.description import NOTHING, Description
from clipsearch.errors import InputError
from clipsearch.images.descriptions.sidecars import read_sidecar, read_takeout
from tests.support.xmp import array, languages, packet

DARKTABLE = packet(
    array("dc:subject", ["boat", "darktable|exported"])
    + array("darktable:colorlabels", ["0"], "Seq")
    + "<darktable:history><rdf:Seq><rdf:li darktable:num='0' darktable:operation='exposure'/></rdf:Seq>"
    + "</darktable:history>",
    'xmp:Rating="3" exif:DateTimeOriginal="2019:07:04 12:30:01.500" exif:GPSLatitude="48,51.396N" '
    'exif:GPSLongitude="2,21.132W" exif:GPSVersionID="2.2.0.0" darktable:history_end="1"',
)
APPLE_PHOTOS = packet(
    languages("dc:title", x_default="Harbour")
    + array("dc:subject", ["boat"], "Seq")
    + array("Iptc4xmpExt:PersonInImage", ["Anna"])
    + "<exif:GPSLatitude>48.8566</exif:GPSLatitude><exif:GPSLatitudeRef>S</exif:GPSLatitudeRef>"
    "<exif:GPSLongitude>2.3522</exif:GPSLongitude><exif:GPSLongitudeRef>E</exif:GPSLongitudeRef>"
    "<photoshop:DateCreated>2019-07-04T12:30:01+02:00</photoshop:DateCreated>",
)
IMMICH = packet(
    array("digiKam:TagsList", ["Places/Paris"], "Seq"),
    'tiff:ImageDescription="Boats" exif:GPSLatitude="48.8566" exif:GPSLongitude="-2.3522" '
    'exif:DateTimeOriginal="2019-07-04T12:30:01.5+02:00"',
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            DARKTABLE,
            Description(
                keywords=("boat", "darktable/exported"),
                rating=3,
                label="red",
                taken_at=datetime(2019, 7, 4, 12, 30, 1, 500_000),
                latitude=pytest.approx(48.8566),
                longitude=pytest.approx(-2.3522),
            ),
        ),
        (
            APPLE_PHOTOS,
            Description(
                title="Harbour",
                keywords=("boat",),
                people=("Anna",),
                taken_at=datetime(2019, 7, 4, 12, 30, 1),
                latitude=-48.8566,
                longitude=2.3522,
            ),
        ),
        (
            IMMICH,
            Description(
                caption="Boats",
                keywords=("Places/Paris",),
                taken_at=datetime(2019, 7, 4, 12, 30, 1, 500_000),
                latitude=48.8566,
                longitude=-2.3522,
            ),
        ),
        (packet(attributes='xmp:Rating="0"'), Description(rating=0)),
        (packet(), NOTHING),
    ],
)
def test_programs(content: bytes, expected: Description) -> None:
    assert read_sidecar(content) == expected
    text = content.decode().replace("\ufeff", "")
    assert read_sidecar(("\ufeff" + text).encode("utf-16")) == expected


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        ("48,51,23.76N", "2,21,7.92E", (48.8566, 2.3522)),
        ("48,51.396n", "2,21.132 e", (48.8566, 2.3522)),
        ("90,0.0N", "180,0.0W", (90, -180)),
        ("91,0.0N", "2,0.0E", None),
        ("48,61.0N", "2,0.0E", None),
        ("48,51.396E", "2,21.132N", None),
        ("0,0.0N", "0,0.0E", None),
        ("48,51.396N", "", None),
        ("48/1,51/1", "2/1", None),
        ("9" * 400 + "N", "2,0.0E", None),
    ],
)
def test_coordinates(latitude: str, longitude: str, expected: tuple[float, float] | None) -> None:
    found = read_sidecar(packet(attributes=f'exif:GPSLatitude="{latitude}" exif:GPSLongitude="{longitude}"'))
    if expected is None:
        assert found == NOTHING
    else:
        assert (found.latitude, found.longitude) == pytest.approx(expected)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no XML",
        b"\xff\xfe\xfd",
        b"<a/>",
        packet()[:-20],
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + packet(),
        b"<a>" * 300_000,
        packet()
        .replace(b'rdf:about=""', b'rdf:about="a"')
        .replace(b"</rdf:RDF>", b'<rdf:Description rdf:about="b"/></rdf:RDF>'),
        packet() + b" " * 9_000_000,
    ],
)
def test_sidecars_that_are_not_xmp(content: bytes) -> None:
    with pytest.raises(InputError) as error:
        read_sidecar(content)
    assert "\n" not in str(error.value)


def test_deep_documents() -> None:
    deep = "<digiKam:x>" * 40_000 + "</digiKam:x>" * 40_000
    assert read_sidecar(packet(f"<mwg-rs:Regions>{deep}</mwg-rs:Regions><dc:title>{deep}</dc:title>")) == NOTHING


TAKEOUT: dict[str, Any] = {
    "title": "IMG_1234.jpg",
    "description": "Boats &amp; people\nin the harbour",
    "imageViews": "12",
    "creationTime": {"timestamp": "1577880000", "formatted": "1 Jan 2020, 12:00:00 UTC"},
    "photoTakenTime": {"timestamp": "1562243401", "formatted": "4 Jul 2019, 12:30:01 UTC"},
    "geoData": {"latitude": 48.8566, "longitude": -2.3522, "altitude": 35.0, "latitudeSpan": 0.0},
    "geoDataExif": {"latitude": 1.0, "longitude": 2.0},
    "people": [{"name": "Anna"}, {"name": "Zoë"}, {"name": ""}, {}, None],
    "url": "https://photos.google.com/photo/x",
    "googlePhotosOrigin": {"mobileUpload": {"deviceType": "ANDROID_PHONE"}},
}
OF_TAKEOUT = Description(
    caption="Boats & people\nin the harbour",
    people=("Anna", "Zoë"),
    taken_at=datetime(2019, 7, 4, 12, 30, 1),
    latitude=48.8566,
    longitude=-2.3522,
)


def takeout(**changes: object) -> Description:
    return read_takeout(json.dumps(TAKEOUT | changes).encode())


class TestTakeout:
    def test_all_that_it_says(self) -> None:
        assert takeout() == OF_TAKEOUT
        assert takeout(favorited=True).rating == 5
        assert takeout(favorited="true").rating is None

    def test_places(self) -> None:
        nowhere = {"latitude": 0.0, "longitude": 0.0}
        assert (takeout(geoData=nowhere).latitude, takeout(geoData=nowhere).longitude) == (1.0, 2.0)
        assert takeout(geoData=nowhere, geoDataExif=nowhere).latitude is None
        for place in ({"latitude": 91, "longitude": 0}, {"latitude": True, "longitude": 1}, {"latitude": 1}, "x", None):
            assert takeout(geoData=place, geoDataExif=place).latitude is None

    @pytest.mark.parametrize(
        ("timestamp", "taken_at"),
        [
            ("-86400", datetime(1969, 12, 31)),
            (1562243401, datetime(2019, 7, 4, 12, 30, 1)),
            *((odd, None) for odd in ("0", "", "soon", "9" * 400, 10**14, None, True, 1.5, [])),
        ],
    )
    def test_dates(self, timestamp: object, taken_at: datetime | None) -> None:
        assert takeout(photoTakenTime={"timestamp": timestamp}).taken_at == taken_at

    @pytest.mark.parametrize(
        "values",
        [
            {"title": "Holidays", "description": "an album", "date": {"timestamp": "1562243401"}},
            {"description": "x", "people": [{"name": "Anna"}]},
            TAKEOUT | {"title": 7},
            TAKEOUT | {"photoTakenTime": "2019"},
            *([], [TAKEOUT], 7, None, "x", {}),
        ],
    )
    def test_json_of_others_says_nothing(self, values: object) -> None:
        assert read_takeout(json.dumps(values).encode()) == NOTHING

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 5_000, b" " * 1_000_001])
    def test_what_is_not_json(self, content: bytes) -> None:
        with pytest.raises(InputError):
            read_takeout(content)
