"""Crops: which a picture gets, that they cover it, and that worker processes give back the same."""

from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from clipsearch.images.crops import box_within, crop_boxes, side_for_crops
from clipsearch.images.decode import DecodingLimits
from clipsearch.images.picture_reader import PictureReader, ReadPicture, Task
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.worker_pool import WorkerPool

SPEC = Preprocess(32, 32, 32, 3, 1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
SHAPES = [(640, 480), (480, 640), (500, 500), (1000, 500), (500, 1000), (3000, 2000)]


@pytest.mark.parametrize(("width", "height"), SHAPES)
def test_detail_takes_five_to_nine_squares_that_cover_the_picture(width, height):
    boxes = crop_boxes(width, height, needed_side=224, detail=True)
    assert 5 <= len(boxes) <= 9
    covered = np.zeros((height, width), dtype=bool)
    for left, top, right, bottom in boxes:
        assert (right - left) * width == pytest.approx((bottom - top) * height)
        covered[round(top * height) : round(bottom * height), round(left * width) : round(right * width)] = True
    assert covered.all()


@pytest.mark.parametrize(("width", "height"), SHAPES)
def test_without_detail_there_are_none(width, height):
    assert crop_boxes(width, height, needed_side=224, detail=False) == ()


@pytest.mark.parametrize("detail", [False, True])
@pytest.mark.parametrize(("width", "height"), [(1001, 500), (4000, 500), (500, 4000), (2300, 1000)])
def test_a_long_picture_is_cut_along_its_length(width, height, detail):
    boxes = crop_boxes(width, height, needed_side=224, detail=detail)
    assert len(boxes) >= 3
    starts = sorted((left * width + top * height) for left, top, _, _ in boxes)
    assert starts[0] == 0
    assert max(np.diff(starts)) <= 0.76 * min(width, height)
    assert starts[-1] + min(width, height) == pytest.approx(max(width, height))


@pytest.mark.parametrize(("width", "height"), [(200, 200), (200, 180), (4000, 100), (1, 4000)])
def test_small_pictures_have_no_crops(width, height):
    assert crop_boxes(width, height, needed_side=224, detail=True) == ()


def test_a_box_within_a_box():
    assert box_within((10, 20, 110, 70), (0.5, 0.0, 1.0, 0.5)) == (60, 20, 110, 45)


def read(path, *, detail: bool, pool: WorkerPool | None = None) -> ReadPicture:
    opened = None if pool is None else pool.open_list
    reader = PictureReader(SPEC, find_stored=lambda _: (), open_list=opened, detail=detail)
    found = reader.read(Task(1, path.name, str(path)))
    assert found.outcome == "decoded", found.reason
    return found


@pytest.fixture
def quarters(tmp_path):
    """A picture of four colours."""
    image = Image.new("RGB", (400, 400), "red")
    image.paste("blue", (200, 0, 400, 200))
    image.paste("lime", (0, 200, 200, 400))
    image.paste("white", (200, 200, 400, 400))
    image.save(tmp_path / "quarters.jpg", quality=95)
    return tmp_path / "quarters.jpg"


def test_crops_show_their_quarter(quarters):
    found = read(quarters, detail=True)
    assert found.parts[0] is None
    assert found.part_crops.shape == (5, 32, 32, 3)
    means = found.part_crops[:4, 8:24, 8:24].mean(axis=(1, 2)).round(-1)
    expected = [(250, 0, 0), (0, 0, 250), (0, 250, 0), (260, 260, 260)]
    np.testing.assert_allclose(means, expected, atol=16)


@pytest.mark.parametrize("detail", [False, True])
def test_workers_give_back_the_same(quarters, tmp_path, detail):
    Image.linear_gradient("L").resize((900, 200)).save(tmp_path / "long.png")
    Image.new("RGB", (20, 20)).save(tmp_path / "small.png")
    with closing(WorkerPool(SPEC, limits=DecodingLimits(), detail=detail)) as pool:
        paths = [quarters, tmp_path / "long.png", tmp_path / "small.png"]
        alone = [read(path, detail=detail) for path in paths]
        listed = PictureReader(SPEC, find_stored=lambda _: (), open_list=pool.open_list).read_list(
            [Task(1, path.name, str(path)) for path in paths]
        )
        for one, other in zip(alone, listed.pictures, strict=True):
            np.testing.assert_array_equal(one.crop, other.crop)
            assert one.parts == other.parts
            if one.part_crops is None:
                assert other.part_crops is None
            else:
                np.testing.assert_array_equal(one.part_crops, other.part_crops)
        again = read(paths[0], detail=detail, pool=pool)  # alone: its crop comes through the pipe
        np.testing.assert_array_equal(again.crop, alone[0].crop)
        listed.release()
    assert [len(each.parts) for each in alone] == ([6, 7, 1] if detail else [0, 7, 0])


def test_a_crop_of_a_large_jpeg_keeps_its_detail(tmp_path):
    side = 8 * side_for_crops(32)
    stripes = np.zeros((side, side, 3), dtype=np.uint8)
    stripes[: side // 2, : side // 2, :] = 255 * (np.arange(side // 2)[:, None, None] // 8 % 2)
    Image.fromarray(stripes).save(tmp_path / "stripes.jpg", quality=95)
    found = read(tmp_path / "stripes.jpg", detail=True)
    assert found.part_crops[0].std() > found.crop.std() / 2
