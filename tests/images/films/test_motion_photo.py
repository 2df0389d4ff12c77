"""Films inside of photographs, of Google's and Samsung's kinds; and photographs whose film is gone."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsearch.images.decode import decode_image
from clipsearch.images.films.motion_photo import motion_photo
from tests.support.motion_photos import directory, packet, photo, with_trailer

FILM = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\x10mdat" + bytes(range(200))


KINDS = {
    "MicroVideo": lambda: photo(packet(f'GCamera:MicroVideo="1" GCamera:MicroVideoOffset="{len(FILM)}"')) + FILM,
    "MicroVideo as an element": lambda: (
        photo(packet("", f"<GCamera:MicroVideoOffset>{len(FILM)}</GCamera:MicroVideoOffset>")) + FILM
    ),
    "MotionPhoto": lambda: (
        photo(packet('GCamera:MotionPhoto="1"', directory(("Primary", 0, 0), ("MotionPhoto", len(FILM), 0)))) + FILM
    ),
    "MotionPhoto after a gain map, padded": lambda: (
        photo(packet("", directory(("Primary", 0, 8), ("GainMap", 100, 0), ("MotionPhoto", len(FILM), 0))))
        + b"\0" * 8
        + b"g" * 100
        + FILM
    ),
    "MotionPhoto before another item": lambda: (
        photo(packet("", directory(("Primary", 0, 0), ("MotionPhoto", len(FILM), 4), ("Other", 50, 0))))
        + FILM
        + b"\0" * 4
        + b"o" * 50
    ),
    "Samsung": lambda: with_trailer(photo(), FILM),
    "Samsung, whose XMP does not count the trailer": lambda: with_trailer(
        photo(packet("", directory(("Primary", 0, 0), ("MotionPhoto", len(FILM), 0)))), FILM
    ),
    "HEIC": lambda: photo("", "HEIF") + struct.pack(">I4s", 8 + len(FILM), b"mpvd") + FILM,
}


@pytest.fixture(autouse=True)
def heif() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()


@pytest.mark.parametrize("kind", KINDS)
def test_the_film_is_found_where_it_is(kind: str, tmp_path: Path) -> None:
    content = KINDS[kind]()
    path = tmp_path / "photo"
    path.write_bytes(content)
    for source in (content, path, str(path), io.BytesIO(content)):
        found = motion_photo(source)
        assert found is not None
        start, length = found
        assert content[start : start + length] == FILM
    assert decode_image(content).image.size == (64, 48)


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_of_a_film_that_is_gone_finds_none(kind: str) -> None:
    content = KINDS[kind]()
    assert motion_photo(content.replace(FILM, b"")) is None
    assert motion_photo(content.replace(FILM, bytes(len(FILM)))) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8",
        b"SEFT",
        FILM,
        photo(),
        photo(packet('GCamera:MicroVideoOffset="-5"')),
        photo(packet('GCamera:MicroVideoOffset="99999999999999999999999"')) + FILM,
        photo(packet("", directory(*[("MotionPhoto", 10**17, 10**17)] * 50))) + FILM,
        photo("<not xml"),
        with_trailer(photo(), FILM, kind=0x0A31),
        photo() + b"\xff" * 100 + struct.pack("<I", 0xFFFFFFFF) + b"SEFT",
        photo() + b"SEFH" + b"\xff" * 60 + struct.pack("<I", 64) + b"SEFT",
    ],
)
def test_photographs_without_a_film_have_none(content: bytes) -> None:
    assert motion_photo(content) is None


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_damaged_photographs_never_raise_and_never_point_outside(data: st.DataObject) -> None:
    content = bytearray(KINDS[data.draw(st.sampled_from(sorted(KINDS)))]())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(len(content) // 2, len(content)))]
    found = motion_photo(bytes(content))
    if found is not None:
        start, length = found
        assert 0 < start < start + length <= len(content)
        assert content[start + 4 : start + 8] == b"ftyp"
