"""A camera raw file is told by its content, never by its name, and no other file is taken for one."""

import io

import pytest
from PIL import Image

from clipsearch.images.raw.directories import read_directories
from clipsearch.images.raw.kinds import find_kind
from tests.fuzz.pictures import samples
from tests.support.make_hostile import draw_scene
from tests.support.raw_files import DATE, MAKE, MODEL, Directory, Entry, raw_file, scan, write_tiff

ASCII, SHORT, LONG = 2, 3, 4


def kind_of(content: bytes) -> str | None:
    return find_kind(io.BytesIO(content))


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"FUJIFILMCCD-RAW 0201FF392201", "RAF"),
        (b"FOVb\0\0\3\0", "X3F"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "CR3"),
        (b"IIRO\x08\0\0\0", "ORF"),
        (b"IIRS\x08\0\0\0", "ORF"),
        (b"MMOR\0\0\0\x08", "ORF"),
        (b"\0MRM\0\1\2\3", "MRW"),
        (b"II\x1a\0\0\0HEAPCCDR", "CRW"),
        (b"IIU\0\x18\0\0\0", "RW2"),
        (b"II*\0\x10\0\0\0CR\2\0", "CR2"),
        (b"II*\0\x08\0\0\0IIIITwaR", "IIQ"),
        (b"MM\0*\0\0\0\x08MMMMRawT", "IIQ"),
        (b"II*\0\x08\0\0\0IIIIwaR\0", None),
        (b"II*\0\x08\0\0\0", None),
        (b"II*", None),
        (b"", None),
    ],
)
def test_signatures(start: bytes, kind: str | None) -> None:
    assert kind_of(start) == kind
    assert kind_of(start + bytes(100)) == kind


@pytest.mark.parametrize(
    ("make", "model", "kind"),
    [
        ("NIKON CORPORATION", "NIKON D70", "NEF"),
        ("NIKON", "COOLPIX P7000", "NRW"),
        ("SONY", "ILCE-7M3", "ARW"),
        ("SONY", "DSC-R1", "SR2"),
        ("PENTAX Corporation", "PENTAX K10D", "PEF"),
        ("RICOH IMAGING COMPANY, LTD.", "PENTAX K-3", "PEF"),
        ("SAMSUNG", "NX1", "SRW"),
        ("Hasselblad", "Hasselblad H3D", "3FR"),
        ("EASTMAN KODAK COMPANY", "Kodak DCS Pro 14n", "DCR"),
        ("SEIKO EPSON CORP.", "R-D1", "ERF"),
        ("Mamiya-OP Co.,Ltd.", "MAMIYA ZD", "MEF"),
        ("Leaf", "Aptus 22", "MOS"),
        ("Somebody", "Camera", "RAW"),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_makers(make: str, model: str, kind: str, order: str) -> None:
    content = raw_file(draw_scene(48, 32), make=make, model=model, is_dng=False, order=order)
    assert kind_of(content) == kind


def test_a_dng_is_one_whoever_made_it() -> None:
    assert kind_of(raw_file(draw_scene(48, 32), make="NIKON CORPORATION")) == "DNG"
    assert kind_of(raw_file(draw_scene(48, 32), make="GoPro")) == "GPR"


def test_other_files_are_none() -> None:
    assert {name for name, content in samples().items() if kind_of(content)} == set()


def test_a_tiff_of_a_camera_is_a_tiff() -> None:
    exif = Image.Exif()
    exif[MAKE], exif[MODEL] = "NIKON CORPORATION", "NIKON D70"
    buffer = io.BytesIO()
    draw_scene(48, 32).save(buffer, "TIFF", exif=exif)
    assert kind_of(buffer.getvalue()) is None
    assert kind_of(scan(draw_scene(480, 320))) is None


def test_a_thumbnail_of_a_picture_that_is_not_in_the_file_is_no_picture() -> None:
    thumbnail = Directory((Entry(254, LONG, (1,)), Entry(262, SHORT, (2,)), Entry(MAKE, ASCII, "SONY")))
    assert kind_of(write_tiff(thumbnail)) == "ARW"


class TestDirectories:
    def test_values_and_texts(self) -> None:
        content = write_tiff(
            Directory((Entry(MAKE, ASCII, "Canon"), Entry(258, SHORT, range(100)), Entry(256, LONG, (7,)))), ">"
        )
        [directory] = read_directories(io.BytesIO(content))
        assert (directory.place, directory.text(MAKE), directory.first(256)) == (8, "Canon", 7)
        assert directory.tags[258] == tuple(range(64))
        assert (directory.text(MODEL), directory.first(DATE)) == ("", None)

    def test_a_circle_of_directories_ends(self) -> None:
        content = bytearray(write_tiff(Directory((Entry(330, LONG, (8,)),))))
        content[8 + 2 + 12 :] = (8).to_bytes(4, "little")
        assert len(read_directories(io.BytesIO(content))) == 1

    def test_the_number_of_directories_is_bounded(self) -> None:
        below = Directory((Entry(256, LONG, (1,)),))
        content = write_tiff(Directory((Entry(330, LONG, [below] * 50),)))
        assert len(read_directories(io.BytesIO(content))) == 32

    @pytest.mark.parametrize("size", range(0, 60, 3))
    def test_a_file_that_breaks_off_has_what_is_there(self, size: int) -> None:
        content = write_tiff(Directory((Entry(MAKE, ASCII, "Somebody"), Entry(256, LONG, (7,)))))
        for directory in read_directories(io.BytesIO(content[:size])):
            assert directory.first(256) in (7, None)
            assert "Somebody".startswith(directory.text(MAKE))
