"""Dates, cameras and positions in the tags of films."""

from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsearch.description import NOTHING, Description
from clipsearch.images.films.tags import read_tags
from tests.support.xmp import packet

NOW = datetime(2026, 1, 1)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"creation_time": "2024-07-04T16:30:00.000000Z"}, (datetime(2024, 7, 4, 16, 30), True, False)),
        # Local time, where it was shot: what is written before the distance from UTC.
        (
            {
                "creation_time": "2024-07-04T16:30:00Z",
                "com.apple.quicktime.creationdate": "2024-07-04T18:30:00+0200",
            },
            (datetime(2024, 7, 4, 18, 30), False, False),
        ),
        ({"date": "2011-08-20T10:03:00+0900"}, (datetime(2011, 8, 20, 10, 3), False, False)),
        # A year alone is no date, and does not hide one.
        ({"date": "2011", "creation_time": "2012-02-03T04:05:06Z"}, (datetime(2012, 2, 3, 4, 5, 6), True, False)),
        ({"creation_time": "1904-01-01T00:00:00Z"}, (datetime(1904, 1, 1), True, True)),
        ({"creation_time": "2031-01-01T00:00:00Z"}, (datetime(2031, 1, 1), True, True)),
        ({"creation_time": "0000-00-00"}, (None, False, False)),
        ({}, (None, False, False)),
    ],
)
def test_dates_are_local_where_the_camera_says_so_and_else_utc(
    tags: dict[str, str], expected: tuple[datetime | None, bool, bool]
) -> None:
    found = read_tags(tags, now=NOW)
    assert (found.taken_at, found.is_utc, found.is_date_doubtful) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+48.1371+011.5754+519.000/", (48.1371, 11.5754)),
        ("-33.8568+151.2153/", (-33.8568, 151.2153)),
        ("+27.5916+086.5640+8850CRSWGS_84/", (27.5916, 86.564)),
        ("+40.20361-75.00417", (40.20361, -75.00417)),
        ("+4012.22-07500.25/", (40 + 12.22 / 60, -(75 + 0.25 / 60))),
        ("+401213.1-0750015.1/", (40 + 12 / 60 + 13.1 / 3600, -(75 + 0 / 60 + 15.1 / 3600))),
        ("+00.0000+000.0000/", (None, None)),
        ("+91.0000+011.0000/", (None, None)),
        ("+48.0000+181.0000/", (None, None)),
        ("+4861.0+01100.0/", (None, None)),
        ("+481+0110/", (None, None)),
        ("48.1371, 11.5754", (None, None)),
        ("+48.1371", (None, None)),
        ("", (None, None)),
    ],
)
def test_positions_are_read_in_all_forms_of_iso_6709(text: str, expected: tuple[float | None, float | None]) -> None:
    for key in ("location", "com.apple.quicktime.location.ISO6709"):
        found = read_tags({key: text}, now=NOW)
        assert (found.latitude, found.longitude) == (pytest.approx(expected[0]), pytest.approx(expected[1]))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"TITLE": "Harbour", "comment": "Boats"}, Description(title="Harbour", caption="Boats")),
        (
            {
                "com.apple.quicktime.title": "Harbour",
                "com.apple.quicktime.keywords": "boat, sea;Places/Paris",
                "com.apple.quicktime.rating.user": "4",
                "artist": "Anna",
                "copyright": "© 2019",
            },
            Description(
                title="Harbour",
                keywords=("boat", "sea", "Places/Paris"),
                rating=4,
                creator="Anna",
                copyright="© 2019",
            ),
        ),
        (
            {"xmp": packet(attributes='dc:title="of XMP" xmp:Rating="0"').decode(), "title": "x", "artist": "Anna"},
            Description(title="of XMP", creator="Anna"),
        ),
        ({"xmp": "<a>", "encoder": "Lavf62"}, NOTHING),
    ],
)
def test_descriptions(tags: dict[str, str], expected: Description) -> None:
    assert read_tags(tags, now=NOW).description == expected


def test_an_invalid_position_does_not_hide_a_valid_one() -> None:
    found = read_tags({"com.apple.quicktime.location.ISO6709": "?", "location": "+10.5-020.5/"}, now=NOW)
    assert (found.latitude, found.longitude) == (10.5, -20.5)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"com.apple.quicktime.make": "Apple", "com.apple.quicktime.model": "iPhone 15"}, "Apple iPhone 15"),
        ({"make": "NIKON CORPORATION", "model": "NIKON Z 6"}, "NIKON Z 6"),
        ({"com.android.manufacturer": "Google", "com.android.model": "Pixel 8"}, "Google Pixel 8"),
        ({"model": "HERO9\0\0"}, "HERO9"),
        ({"make": "\n \t"}, None),
        ({}, None),
    ],
)
def test_make_and_model_are_joined_as_those_of_pictures(tags: dict[str, str], expected: str | None) -> None:
    assert read_tags(tags, now=NOW).camera == expected


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    tags=st.dictionaries(
        st.sampled_from(["date", "creation_time", "make", "model", "location", "com.apple.quicktime.creationdate"]),
        st.text() | st.from_regex(r"[+-]\d{1,9}(\.\d{0,15})?[+-]\d{1,9}(\.\d{0,15})?", fullmatch=True),
    )
)
def test_nothing_raises(tags: dict[str, str]) -> None:
    found = read_tags(tags, now=NOW)
    assert (found.latitude is None) == (found.longitude is None)
    if found.latitude is not None and found.longitude is not None:
        assert abs(found.latitude) <= 90 and abs(found.longitude) <= 180
