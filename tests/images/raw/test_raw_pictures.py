"""Raw files give their preview or a development, upright once, with what the raw file itself says of the picture."""

import io
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import ImageReadError
from clipsearch.images.decode import decode_image, is_sequence, read_header
from clipsearch.images.thumbnails import shrink
from tests.support.make_hostile import draw_scene
from tests.support.orientations import TURNED_BACK
from tests.support.raw_files import raw_file, scan

pytest.importorskip("rawpy")

SCENE = draw_scene(1200, 800)
SMALL = draw_scene(300, 200)


def difference(image: Image.Image, wanted: Image.Image) -> float:
    """The mean difference of levels, 0 to 255, seen small."""
    small, other = (np.asarray(each.convert("RGB").resize((30, 20)), dtype=np.float64) for each in (image, wanted))
    return float(np.abs(small - other).mean())


def with_stale_preview(**options: object) -> bytes:
    """The preview shows another picture than the raw data: it is seen which of them was taken."""
    return raw_file(SCENE, preview=SCENE.transpose(Image.Transpose.ROTATE_180), **options)  # type: ignore[arg-type]


def test_the_preview_is_taken_where_it_is_large_enough() -> None:
    turned = SCENE.transpose(Image.Transpose.ROTATE_180)
    assert difference(decode_image(with_stale_preview()).image, turned) < 5
    assert difference(decode_image(with_stale_preview()).image, SCENE) > 20


@pytest.mark.parametrize("preview", [None, SMALL.transpose(Image.Transpose.ROTATE_180)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_small_preview_is_passed_over_for_the_raw_data(preview: Image.Image | None, order: str) -> None:
    decoded = decode_image(raw_file(SCENE, preview=preview, order=order))
    assert decoded.image.size == (600, 400)
    assert decoded.box == (0, 0, 600, 400)
    assert difference(decoded.image, SCENE) < 15  # it is brightened
    assert difference(decoded.image, SCENE.rotate(180)) > 20


def test_raw_data_of_a_small_sensor_is_developed_at_full_size() -> None:
    assert decode_image(raw_file(SMALL)).image.size == (300, 200)


def test_a_small_preview_is_better_than_nothing() -> None:
    content = raw_file(SCENE, preview=SMALL, bits=bytes(1200 * 800 * 2))
    decoded = decode_image(content)
    assert decoded.image.size == (300, 200)
    assert (decoded.metadata.width, decoded.metadata.height) == (1200, 800)


def test_a_thumbnail_is_not() -> None:
    with pytest.raises(ImageReadError, match="truncated"):
        decode_image(raw_file(SCENE, preview=draw_scene(160, 120), bits=bytes(1200 * 800 * 2)))


def test_a_damaged_preview_gives_way_to_the_raw_data() -> None:
    content = bytearray(with_stale_preview())
    start = content.index(b"\xff\xd8\xff")
    table, end = content.index(b"\xff\xc4", start), content.index(b"\xff\xd9", start)
    content[table:end] = b"\xff\xd9" * ((end - table) // 2) + bytes((end - table) % 2)
    decoded = decode_image(bytes(content))
    assert decoded.image.size == (600, 400)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("has_preview", [True, False])
def test_the_orientation_is_applied_once(orientation: int, has_preview: bool) -> None:
    stored = SCENE.transpose(TURNED_BACK[orientation]) if orientation > 1 else SCENE
    decoded = decode_image(raw_file(stored, orientation=orientation, preview=stored if has_preview else None))
    assert decoded.image.size in ((1200, 800), (600, 400))
    assert (decoded.metadata.width, decoded.metadata.height) == (1200, 800)
    others = [SCENE.transpose(method) for method in Image.Transpose if SCENE.transpose(method).size == SCENE.size]
    assert difference(decoded.image, SCENE) < min(difference(decoded.image, other) for other in others)


@pytest.mark.parametrize("orientation", [6, 8])
@pytest.mark.parametrize("side", [480, 960])
def test_a_preview_that_the_camera_has_turned_is_not_turned_again(orientation: int, side: int) -> None:
    upright = draw_scene(side, side * 3 // 2)
    stored = upright.transpose(TURNED_BACK[orientation]).resize((1440, 960))
    decoded = decode_image(raw_file(stored, orientation=orientation, preview=upright))
    assert decoded.image.size == upright.size
    assert difference(decoded.image, upright) < 5
    assert (decoded.metadata.width, decoded.metadata.height) == (960, 1440)


def test_metadata_is_that_of_the_raw_file() -> None:
    content = raw_file(SCENE, make="NIKON CORPORATION", model="NIKON D70", is_dng=False, preview=SCENE)
    found = decode_image(content).metadata
    assert found.format == "NEF"
    assert found.camera == "NIKON D70"
    assert found.taken_at == datetime(2024, 5, 6, 7, 8, 9, 250_000)
    assert (found.latitude, found.longitude) == (pytest.approx(50.1), pytest.approx(8 + 2 / 3))
    assert (found.width, found.height) == (1200, 800)
    assert read_header(content) == found
    assert not is_sequence(content)


def test_a_raw_file_and_the_jpeg_of_one_shot_have_the_same_time_and_camera() -> None:
    exif = Image.Exif()
    exif[271], exif[272] = "Canon", "EOS 5D"
    exif.get_ifd(34665).update({36867: "2024:05:06 07:08:09", 37521: "25"})
    buffer = io.BytesIO()
    SCENE.save(buffer, "JPEG", exif=exif)
    jpeg, raw = (read_header(content) for content in (buffer.getvalue(), raw_file(SCENE)))
    assert (jpeg.taken_at, jpeg.camera) == (raw.taken_at, raw.camera)
    assert (jpeg.width, jpeg.height) == (raw.width, raw.height)
    assert jpeg.taken_at is not None


def test_the_name_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "raw.tif").write_bytes(raw_file(SCENE, preview=SCENE))
    (tmp_path / "tiff.nef").write_bytes(scan(SCENE))
    assert decode_image(tmp_path / "raw.tif").metadata.format == "DNG"
    assert decode_image(tmp_path / "tiff.nef").metadata.format == "TIFF"


def test_a_large_preview_is_scaled_down_while_it_is_decoded() -> None:
    large = draw_scene(3000, 2000)
    decoded = decode_image(raw_file(SCENE, preview=large, orientation=6), needed_side=224)
    assert decoded.image.size == (500, 750)
    assert decoded.box == (0, 0, 500, 750)


def test_thumbnails_are_of_the_preview() -> None:
    thumbnail = shrink(with_stale_preview(), side=120)
    assert (thumbnail.width, thumbnail.height) == (120, 80)
    shown = Image.open(io.BytesIO(thumbnail.jpeg))
    assert difference(shown, SCENE.transpose(Image.Transpose.ROTATE_180)) < 10


class TestRefusals:
    def test_raw_data_that_breaks_off_is_said_to(self) -> None:
        content = raw_file(SCENE)
        half = len(content) - 1200 * 800
        for cut in (content[:half], content[:half] + bytes(1200 * 800)):
            with pytest.raises(ImageReadError, match=r"^(truncated|damaged)"):
                decode_image(cut)

    def test_the_preview_of_a_file_that_breaks_off_behind_it_is_taken(self) -> None:
        content = with_stale_preview()
        start = content.rindex(b"\xff\xd8\xff")
        assert difference(decode_image(content[:start] + content[start:]).image, SCENE) > 20

    def test_too_many_pixels(self) -> None:
        for read in (decode_image, read_header):
            with pytest.raises(ImageReadError, match="too large") as caught:
                read(raw_file(SCENE, preview=SMALL), max_megapixels=0.5)
            assert caught.value.limit == ("megapixels", 0.5)

    def test_a_kind_that_libraw_does_not_know(self) -> None:
        with pytest.raises(ImageReadError, match=r"^not supported: an unusual kind of camera raw file \(RAF\)$"):
            decode_image(b"FUJIFILMCCD-RAW " + bytes(200))

    def test_the_extra_is_named_where_it_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "rawpy", None)
        for read in (decode_image, read_header):
            with pytest.raises(ImageReadError) as caught:
                read(raw_file(SCENE))
            assert str(caught.value) == (
                "a camera raw file (DNG) needs rawpy, which is not installed: pip install 'clipsearch[raw]'"
            )
        assert decode_image(scan(SCENE)).image.size == (1200, 800)


class TestSmallCopies:
    def test_the_picture_behind_a_small_copy_is_opened(self) -> None:
        decoded = decode_image(scan(SCENE))
        assert decoded.image.size == (1200, 800)
        assert difference(decoded.image, SCENE) == 0
        assert (decoded.metadata.format, decoded.metadata.camera) == ("TIFF", "Nikon")

    def test_one_that_breaks_off_is_read_as_far_as_it_goes(self) -> None:
        content = scan(SCENE)
        decoded = decode_image(content[: len(content) - 1200 * 3 * 80])
        assert decoded.metadata.decoded_share == pytest.approx(0.9, abs=0.01)


def test_samples_of_cameras_give_their_preview_or_a_reason(shared: Path) -> None:
    folder = shared / "raw"
    if not folder.is_dir():
        pytest.skip("the folder of raw files, ../shared/raw, is not here")
    found = {}
    for path in sorted(folder.glob("*.*")):
        try:
            found[path.name] = decode_image(path).metadata.format
        except ImageReadError as error:
            found[path.name] = str(error).partition(":")[0]
    assert found.pop("README.md", None) == "not a picture of a kind that can be read"
    assert found == {
        "Canon-R6-pruned.CR3": "CR3",
        "CanonRaw.cr2": "not supported",
        "FujiFilm.raf": "damaged",
        "IMG_1361.dng": "truncated",
        "Nikon.nef": "damaged",
        "Nikon_uncompressed.nef": "TIFF",
        "Panasonic.rw2": "truncated",
    }
    canon = read_header(folder / "Canon-R6-pruned.CR3")
    assert (canon.width, canon.height, canon.camera) == (3408, 2272, "Canon EOS R6")
    assert canon.taken_at == datetime(2021, 5, 12, 12, 21, 21, 920_000)
