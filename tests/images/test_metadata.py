"""What EXIF says is tidied, what makes no sense is absent, and nothing raises."""

import io
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from clipsearch.description import NOTHING
from clipsearch.images.decode import decode_image
from clipsearch.types import ImageMetadata

SHARED = Path(__file__).parents[2] / ".." / "shared"

MAKE, MODEL, DATE_TIME = 0x010F, 0x0110, 0x0132
EXIF_IFD, DATE_TIME_ORIGINAL, DATE_TIME_DIGITIZED, OFFSET_TIME_ORIGINAL = 0x8769, 0x9003, 0x9004, 0x9011
SUBSEC_ORIGINAL = 0x9291
GPS_IFD = 0x8825


def metadata_of(
    main: dict[int, Any] | None = None,
    exif_ifd: dict[int, Any] | None = None,
    gps: dict[int, Any] | None = None,
    file_format: str = "JPEG",
) -> ImageMetadata:
    exif = Image.Exif()
    for tag, value in (main or {}).items():
        exif[tag] = value
    exif.get_ifd(EXIF_IFD).update(exif_ifd or {})
    exif.get_ifd(GPS_IFD).update(gps or {})
    buffer = io.BytesIO()
    Image.new("RGB", (16, 8)).save(buffer, file_format, exif=exif.tobytes())
    return decode_image(buffer.getvalue()).metadata


def test_a_picture_without_exif_has_size_and_format_only() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 8)).save(buffer, "GIF")
    assert decode_image(buffer.getvalue()).metadata == ImageMetadata(16, 8, "GIF", description=NOTHING)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_all_of_it_is_read_from_every_format(file_format: str) -> None:
    metadata = metadata_of(
        {MAKE: "Canon", MODEL: "Canon EOS 5D"},
        {DATE_TIME_ORIGINAL: "2024:05:06 07:08:09"},
        {1: "S", 2: (33.0, 51.0, 25.2), 3: "E", 4: (151.0, 12.0, 36.0)},
        file_format,
    )
    assert (metadata.width, metadata.height, metadata.format) == (16, 8, file_format)
    assert metadata.taken_at == datetime(2024, 5, 6, 7, 8, 9)
    assert metadata.camera == "Canon EOS 5D"
    assert metadata.latitude == pytest.approx(-33.857)
    assert metadata.longitude == pytest.approx(151.21)


class TestTakenAt:
    def test_original_comes_before_digitized_before_changed(self) -> None:
        original, digitized, changed = (f"200{n}:01:01 00:00:00" for n in (1, 2, 3))
        both = {DATE_TIME_ORIGINAL: original, DATE_TIME_DIGITIZED: digitized}
        assert metadata_of({DATE_TIME: changed}, both).taken_at == datetime(2001, 1, 1)
        assert metadata_of({DATE_TIME: changed}, {DATE_TIME_DIGITIZED: digitized}).taken_at == datetime(2002, 1, 1)
        assert metadata_of({DATE_TIME: changed}).taken_at == datetime(2003, 1, 1)
        assert metadata_of({DATE_TIME_ORIGINAL: original}).taken_at == datetime(2001, 1, 1)

    def test_garbage_gives_way_to_the_next(self) -> None:
        garbage = {DATE_TIME_ORIGINAL: "0000:00:00 00:00:00", DATE_TIME_DIGITIZED: "    :  :     :  :  "}
        assert metadata_of({DATE_TIME: "2003:01:01 00:00:00"}, garbage).taken_at == datetime(2003, 1, 1)

    @pytest.mark.parametrize(
        "odd", ["2019", "2019:07", "2019:02:30 10:00:00", "04/07/2019", "last summer", "1019:07:04"]
    )
    def test_the_date_of_an_edit_is_not_given_instead_of_an_odd_original(self, odd: str) -> None:
        changed = {DATE_TIME: "2024:01:01 00:00:00"}
        assert metadata_of(changed, {DATE_TIME_ORIGINAL: odd}).taken_at is None
        assert metadata_of(changed, {DATE_TIME_DIGITIZED: odd}).taken_at is None
        both = {DATE_TIME_ORIGINAL: odd, DATE_TIME_DIGITIZED: "2019:07:05 00:00:00"}
        assert metadata_of(changed, both).taken_at == datetime(2019, 7, 5)

    @pytest.mark.parametrize(
        ("digits", "microsecond"), [("5", 500_000), ("042", 42_000), ("1234567", 123_456), ("x", 0)]
    )
    def test_sub_seconds_are_kept(self, digits: str, microsecond: int) -> None:
        tags = {DATE_TIME_ORIGINAL: "2024:07:01 00:30:00", SUBSEC_ORIGINAL: digits}
        assert metadata_of({}, tags).taken_at == datetime(2024, 7, 1, 0, 30, 0, microsecond)

    def test_it_is_what_the_clock_showed_whatever_the_offset(self) -> None:
        tags = {DATE_TIME_ORIGINAL: "2024:07:01 00:30:00", OFFSET_TIME_ORIGINAL: "+09:00"}
        assert metadata_of({}, tags).taken_at == datetime(2024, 7, 1, 0, 30)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2024:05:06 07:08:09\0", datetime(2024, 5, 6, 7, 8, 9)),
            ("2024-05-06T07:08:09.123Z", datetime(2024, 5, 6, 7, 8, 9, 123_000)),
            ("2024/05/06 07:08:09+02:00", datetime(2024, 5, 6, 7, 8, 9)),
            ("2024:05:06 07:08", datetime(2024, 5, 6, 7, 8)),
            ("2024: 5: 6  7: 8: 9", datetime(2024, 5, 6, 7, 8, 9)),
            ("2024:05:06", datetime(2024, 5, 6)),
            ("2016:12:31 23:59:60", datetime(2016, 12, 31, 23, 59, 59)),
            ("2024:02:30 00:00:00", None),
            ("2024:05:06 25:00:00", datetime(2024, 5, 6)),
            ("9999:12:31 23:59:59", None),
            ("1000:01:01 00:00:00", None),
            ("yesterday", None),
            ("٢٠٢٤:05:06 07:08:09", datetime(2024, 5, 6, 7, 8, 9)),
            ("", None),
        ],
    )
    def test_forms(self, text: str, expected: datetime | None) -> None:
        assert metadata_of({}, {DATE_TIME_ORIGINAL: text.encode("utf-8", "replace")}).taken_at == expected


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("  SONY\0\0", "\0ILCE-7M3   \0junk", "SONY ILCE-7M3"),
        ("HUAWEI", "huawei p30", "huawei p30"),
        ("Canon", None, "Canon"),
        (None, "X100", "X100"),
        ("", "\0\0", None),
        ("\x07bell\n", "a\tb", "bell a b"),
        ("M" * 5000, "x", "M" * 100 + " x"),
    ],
)
def test_camera_is_make_and_model_in_one(make: object, model: object, expected: str | None) -> None:
    tags = {tag: value for tag, value in ((MAKE, make), (MODEL, model)) if value is not None}
    assert metadata_of(tags).camera == expected


@pytest.mark.parametrize(
    ("gps", "expected"),
    [
        ({1: "N", 2: (48.5,), 3: "W", 4: (2.25,)}, (48.5, -2.25)),
        ({1: "N", 2: (48.0, 30.0), 3: "W", 4: (2.0, 15.0)}, (48.5, -2.25)),
        ({1: "n ", 2: (48.0, 29.0, 60.0), 3: "e\0", 4: (2.0, 15.0, 0.0)}, (48.5, 2.25)),
        ({1: "S", 2: (90.0, 0.0, 0.0), 3: "E", 4: (180.0, 0.0, 0.0)}, (-90, 180)),
        ({1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (10.0, 0.0, 0.0)}, (0, 10)),
        ({1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}, None),  # a receiver that knows nothing
        ({1: "N", 2: (90.0, 0.0, 1.0), 3: "E", 4: (2.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (48.0, 61.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (48.0, 30.0, 2517.0), 3: "E", 4: (2.0, 15.0, 60.5)}, (48.5, 2.25)),  # odd seconds alone
        ({1: "N", 2: (48.0, 30.0, IFDRational(1, 0)), 3: "E", 4: (2.0, 15.0, IFDRational(0, 0))}, (48.5, 2.25)),
        ({1: "N", 2: (48.0, 0.0, 0.0), 3: "E", 4: (180.0, 0.0, 1.0)}, None),
        ({2: (48.0, 0.0, 0.0), 4: (2.0, 0.0, 0.0)}, None),  # which half of the world?
        ({1: "X", 2: (48.0, 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (48.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (1.0, 2.0, 3.0, 4.0), 3: "E", 4: (2.0, 0.0, 0.0)}, None),
    ],
)
def test_position_is_checked(gps: dict[int, Any], expected: tuple[float, float] | None) -> None:
    metadata = metadata_of(gps=gps)
    if expected is None:
        assert (metadata.latitude, metadata.longitude) == (None, None)
    else:
        assert (metadata.latitude, metadata.longitude) == pytest.approx(expected)


def test_rationals_with_zero_denominators_are_absent() -> None:
    content = io.BytesIO()
    exif = Image.Exif()
    exif.get_ifd(GPS_IFD).update({1: "N", 2: (48.0, 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)})
    raw = exif.tobytes()
    # 48 as numerator 48, denominator 1 → denominator 0
    assert raw.count(b"\0\0\0\x30\0\0\0\x01") == 1
    Image.new("RGB", (9, 9)).save(content, "JPEG", exif=raw.replace(b"\0\0\0\x30\0\0\0\x01", b"\0\0\0\x30\0\0\0\0"))
    metadata = decode_image(content.getvalue()).metadata
    assert (metadata.latitude, metadata.longitude) == (None, None)


@settings(max_examples=300, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(6, 5000), st.integers(0, 255)), max_size=12),
    tail=st.binary(max_size=40),
    cut=st.none() | st.integers(6, 300),
)
def test_mutated_exif_never_loses_the_picture(changes: list[tuple[int, int]], tail: bytes, cut: int | None) -> None:
    exif = Image.Exif()
    exif[MAKE] = "Canon"
    exif[0x0112] = 1
    exif.get_ifd(EXIF_IFD)[DATE_TIME_ORIGINAL] = "2024:05:06 07:08:09"
    exif.get_ifd(GPS_IFD).update({1: "N", 2: (48.0, 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)})
    content = bytearray(exif.tobytes())
    for place, value in changes:
        content[6 + place % (len(content) - 6)] = value
    buffer = io.BytesIO()
    Image.new("RGB", (16, 8), "red").save(buffer, "JPEG", exif=bytes(content[:cut]) + tail)
    metadata = decode_image(buffer.getvalue()).metadata
    assert sorted((metadata.width, metadata.height)) == [8, 16]
    assert metadata.latitude is None or -90 <= metadata.latitude <= 90
    assert (metadata.latitude is None) == (metadata.longitude is None)


@pytest.mark.parametrize(
    ("name", "taken_at", "latitude", "longitude"),
    [
        ("gps-position/thompson-springs.jpg", "2022-01-10 15:15:44.310000", 39.115, -108.400968),
        ("gps-position/empty_gps.jpg", "2025-06-01 16:59:26.023460", None, None),
        ("dates/datetimeoriginal-gps.jpg", "2025-12-01 11:30:00", 39.0, -108.0),
    ],
)
def test_photographs_of_others(name: str, taken_at: str, latitude: float | None, longitude: float | None) -> None:
    folder = SHARED / "hostile/immich-test-assets/metadata"
    if not folder.is_dir():
        pytest.skip("the folder of hostile files, ../shared/hostile, is not here")
    metadata = decode_image(folder / name).metadata
    assert str(metadata.taken_at) == taken_at
    assert metadata.latitude == pytest.approx(latitude, abs=1e-6)
    assert metadata.longitude == pytest.approx(longitude, abs=1e-6)
