"""What the containers of raw files say of camera, date and place, and the second preview of Canon."""

import io
import struct

import pytest
from PIL import Image

from clipsearch.description import Description
from clipsearch.images.descriptions.embedded import read_description
from clipsearch.images.pillow_settings import decoding_settings
from clipsearch.images.raw.containers import adopt_exif, find_canon_preview, read_exif
from tests.fuzz.pictures import exif_of_a_camera
from tests.support.raw_files import EXIF, GPS, MAKE, MODEL, Directory, Entry, write_tiff
from tests.support.xmp import packet, picture

TAKEN = 36867


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def canon_file(preview: bytes = b"") -> bytes:
    main = write_tiff(Directory((Entry(MAKE, 2, "Canon"), Entry(MODEL, 2, "Canon EOS R6"))))
    taken = write_tiff(Directory((Entry(TAKEN, 2, "2021:05:12 12:21:21"),)))
    place = write_tiff(Directory((Entry(1, 2, "S"), Entry(2, 5, (33, 52, 0)))))
    metadata = box(b"CMT1", main) + box(b"CMT2", taken) + box(b"CMT4", place)
    identifier = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
    content = box(b"ftyp", b"crx \0\0\0\1crx isom") + box(b"moov", box(b"uuid", identifier + metadata))
    content += box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + box(b"PRVW", b"\xff\xd8\xffnot this"))
    found = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16") + bytes(8) + box(b"PRVW", bytes(16) + preview)
    return content + box(b"uuid", found)


def test_the_boxes_of_canon_have_the_exif() -> None:
    exif = read_exif(io.BytesIO(canon_file()), "CR3")
    assert (exif[MAKE], exif[MODEL]) == ("Canon", "Canon EOS R6")
    assert exif.get_ifd(EXIF)[TAKEN] == "2021:05:12 12:21:21"
    assert exif.get_ifd(GPS)[1] == "S"


def test_packets_and_texts_of_the_file_go_before_those_of_its_preview() -> None:
    xmp = packet(attributes='dc:title="of the file"')
    canon = canon_file().replace(b"not this", b"not this either")
    start = canon.index(b"uuid" + bytes.fromhex("be7acfcb")) - 4
    canon = canon[:start] + box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + xmp) + canon[start:]
    directory = Directory((Entry(MAKE, 2, "NIKON"), Entry(700, 1, xmp), Entry(315, 2, "Anna")))
    for content, kind, creator in ((canon, "CR3", None), (write_tiff(directory), "NEF", "Anna")):
        file = io.BytesIO(content)
        image = Image.open(io.BytesIO(picture(xmp=packet(attributes='dc:title="of the preview"'))))
        adopt_exif(image, read_exif(file, kind))
        assert read_description(image) == Description(title="of the file", creator=creator)


def test_the_preview_of_canon_is_found_behind_its_header() -> None:
    assert find_canon_preview(io.BytesIO(canon_file(b"\xff\xd8\xff\xe0 and so on"))) == b"\xff\xd8\xff\xe0 and so on"
    assert find_canon_preview(io.BytesIO(canon_file(b"no JPEG"))) is None
    assert find_canon_preview(io.BytesIO(canon_file()[:300])) is None


@pytest.mark.parametrize(
    ("kind", "start"), [("ORF", b"IIRO"), ("RW2", b"IIU\0"), ("NEF", b"II*\0"), ("ORF", b"MMOR"), ("DNG", b"MM\0*")]
)
def test_kin_of_tiff_are_read_whatever_their_signature(kind: str, start: bytes) -> None:
    taken = Directory((Entry(TAKEN, 2, "2021:05:12 12:21:21"),))
    directory = Directory((Entry(MAKE, 2, "OLYMPUS"), Entry(EXIF, 4, [taken])))
    content = write_tiff(directory, "<" if start.startswith(b"II") else ">")
    exif = read_exif(io.BytesIO(start + content[4:]), kind)
    assert exif[MAKE] == "OLYMPUS"
    assert exif.get_ifd(EXIF)[TAKEN] == "2021:05:12 12:21:21"


def test_the_block_of_minolta_is_found() -> None:
    block = write_tiff(Directory((Entry(MAKE, 2, "Minolta Co., Ltd."),)), ">")
    content = (
        b"\0MRM" + bytes(4) + b"\0PRD" + struct.pack(">I", 4) + bytes(4) + b"\0TTW" + struct.pack(">I", 99) + block
    )
    assert read_exif(io.BytesIO(content), "MRW")[MAKE] == "Minolta Co., Ltd."


@pytest.mark.parametrize("kind", ["CR3", "MRW", "ORF", "NEF", "RAF", "CRW"])
@pytest.mark.parametrize(
    "content", [b"", b"II*\0\xff\xff\xff\x7f", b"MM\0*" + bytes(40), b"\0TTWxxxxII*\0", canon_file()[:99]]
)
def test_broken_exif_is_empty(kind: str, content: bytes) -> None:
    exif = read_exif(io.BytesIO(content), kind)
    assert (exif.get(MAKE), exif.get_ifd(EXIF)) == (None, {})


def opened(exif: bytes) -> Image.Image:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
    return Image.open(buffer)


def test_the_exif_of_the_file_goes_before_that_of_its_preview() -> None:
    image = opened(exif_of_a_camera())
    adopt_exif(image, read_exif(io.BytesIO(canon_file()), "CR3"))
    exif = image.getexif()
    assert (exif[MODEL], exif.get_ifd(EXIF)[TAKEN]) == ("Canon EOS R6", "2021:05:12 12:21:21")
    assert exif.get_ifd(GPS)[4] == (8.0, 40.0, 0.0)  # only the preview has it


def test_broken_exif_of_a_preview_gives_way() -> None:
    with decoding_settings(1):  # without Pillow's warnings
        image = opened(b"Exif\0\0II*\0\xff\xff\xff\xff and no more")
        adopt_exif(image, read_exif(io.BytesIO(canon_file()), "CR3"))
    assert image.getexif()[MODEL] == "Canon EOS R6"
