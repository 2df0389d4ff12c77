"""Files of several parts: films, documents, pages of a TIFF and animations, decoded alike here and in a worker."""

import io
import os
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import ImageReadError
from clipsearch.images.decode import DecodingLimits
from clipsearch.images.file_parts import decode_part
from clipsearch.images.picture_reader import PictureReader, ReadPicture, Task
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.thumbnails import make_thumbnail
from clipsearch.images.worker_pool import WorkerPool
from clipsearch.parts import Part
from tests.support.films import Shot, make_film
from tests.support.pictures import scene

pytest.importorskip("av", reason="needs the extra video")
pytest.importorskip("pypdfium2", reason="needs the extra pdf")

SPEC = Preprocess(32, 32, 32, 3, 1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
SCENES = [scene(seed).resize((320, 240)) for seed in (1, 2, 3)]


def saved(kind: str, images=SCENES, **options) -> bytes:
    buffer = io.BytesIO()
    first, *others = (image.copy() for image in images)  # saving leaves its settings in an image
    first.save(buffer, kind, save_all=True, append_images=others, **options)
    return buffer.getvalue()


FILES = {
    "film.mp4": (make_film([Shot(image, 3) for image in SCENES]), "scene"),
    "scan.pdf": (saved("PDF"), "page"),
    "scan.tif": (saved("TIFF"), "page"),
    "moving.gif": (saved("GIF", duration=500), "scene"),
    "moving.webp": (saved("WEBP", duration=500), "scene"),
    "moving.png": (saved("PNG", duration=500), "scene"),
}


@pytest.fixture(params=FILES)
def several(request, tmp_path):
    content, kind = FILES[request.param]
    path = tmp_path / request.param
    path.write_bytes(content)
    return path, kind


def read(path, pool: WorkerPool | None = None) -> ReadPicture:
    opened = None if pool is None else pool.open_list
    return PictureReader(SPEC, find_stored=lambda _: (), open_list=opened).read(Task(1, path.name, str(path)))


def mean_difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def small(image: Image.Image) -> np.ndarray:
    left = (image.width - image.height) // 2
    return np.asarray(
        image.resize((32, 32), Image.Resampling.BICUBIC, box=(left, 0, left + image.height, image.height))
    )


def test_all_parts_are_decoded_in_their_order(several):
    path, kind = several
    found = read(path)
    assert found.outcome == "decoded", found.reason
    assert [part.kind for part in found.parts] == [kind] * 3
    in_order = sorted(zip(found.parts, [found.crop, *found.part_crops], strict=True), key=lambda each: each[0].order)
    for (part, crop), image in zip(in_order, SCENES, strict=True):
        assert mean_difference(crop, small(image)) < 16, part
    if kind == "page":
        assert [part.page for part, _ in in_order] == [1, 2, 3]
    assert found.metadata.phash is not None and found.metadata.sharpness is not None
    assert (found.metadata.duration_s is not None) == (kind == "scene")


def test_a_worker_gives_back_the_same(several):
    path, _ = several
    here = read(path)
    with closing(WorkerPool(SPEC, limits=DecodingLimits())) as pool:
        listed = PictureReader(SPEC, find_stored=lambda _: (), open_list=pool.open_list)
        (in_list,) = listed.read_list([Task(1, "x", str(path))]).pictures
        for there in (read(path, pool), in_list):
            np.testing.assert_array_equal(here.crop, there.crop)
            np.testing.assert_array_equal(here.part_crops, there.part_crops)
            assert (here.parts, here.metadata) == (there.parts, there.metadata)


def test_thumbnails_show_their_part(several):
    path, _ = several
    found = read(path)
    for part, crop in zip(found.parts, [found.crop, *found.part_crops], strict=True):
        with Image.open(io.BytesIO(make_thumbnail(path, side=120, part=part).jpeg)) as image:
            assert max(image.size) <= 120
            assert mean_difference(crop, small(image)) < 16, part
        with closing(WorkerPool(SPEC, limits=DecodingLimits())) as pool, pool.open_path(str(path)) as opened:
            assert max(opened.shrink(120, part).width, 0) <= 120


def test_a_thumbnail_of_the_whole_file(several):
    path, _ = several
    assert make_thumbnail(path, side=64).jpeg[:2] == b"\xff\xd8"


WRONG = [Part("page", page=9), Part("scene", start_s=1e6, end_s=1e6), Part("crop", box=(0.0, 0.0, 0.5, 0.5))]


@pytest.mark.parametrize("part", WRONG)
def test_a_part_that_is_not_there_is_an_error_or_the_nearest(several, part):
    path, _ = several
    content = path.read_bytes()
    try:
        decoded = decode_part(content, part, needed_side=32, max_megapixels=10, suffix=path.suffix)
    except ImageReadError as error:
        assert str(error) and "\n" not in str(error)
    else:  # beyond the end the last frame; of a picture file any crop
        assert part.start_s is not None or part.box is not None
        assert decoded.image.mode == "RGB"


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_file_that_breaks_off_has_parts_a_frame_or_a_reason(several, share):
    path, _ = several
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with closing(WorkerPool(SPEC, limits=DecodingLimits(max_seconds=10))) as pool:
        found = read(path, pool)
    assert found.outcome in ("decoded", "failed")
    assert found.outcome == "decoded" or (found.reason and "crash" not in found.reason)


def test_one_page_or_frame_is_a_whole_picture(tmp_path):
    for name, kind in (("one.tif", "TIFF"), ("one.gif", "GIF"), ("one.webp", "WEBP"), ("one.png", "PNG")):
        SCENES[0].save(tmp_path / name, kind)
        assert read(tmp_path / name).parts == ()
    same = saved("GIF", [SCENES[0], SCENES[0].point(lambda level: min(255, level + 2))], duration=100)
    (tmp_path / "still.gif").write_bytes(same)
    assert read(tmp_path / "still.gif").parts == ()  # nothing moves


def test_reduced_copies_in_a_tiff_are_no_pages(tmp_path):
    thumbnail = SCENES[0].resize((80, 60))
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    SCENES[0].save(tmp_path / "pyramid.tif", save_all=True, append_images=[thumbnail])
    found = read(tmp_path / "pyramid.tif")
    assert found.parts == ()


def test_large_and_many_pages_are_bounded(tmp_path):
    pages = [Image.new("L", (8, 8), level % 256) for level in range(700)]
    (tmp_path / "many.tif").write_bytes(saved("TIFF", pages))
    assert 2 <= len(read(tmp_path / "many.tif").parts) <= 600
    big = [SCENES[0], Image.new("1", (4000, 4000))]
    (tmp_path / "big.tif").write_bytes(saved("TIFF", big))
    reader = WorkerPool(SPEC, limits=DecodingLimits(max_megapixels=1))
    with closing(reader) as pool:
        found = read(tmp_path / "big.tif", pool)
    assert found.outcome == "decoded" and found.parts == ()


def test_a_film_may_be_larger_than_any_picture(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(FILES["film.mp4"][0])
    reader = PictureReader(SPEC, find_stored=lambda _: (), max_bytes=100)
    task = Task(1, path.name, str(path), size_bytes=os.path.getsize(path))
    assert reader.read(task).outcome == "decoded"
    SCENES[0].save(tmp_path / "picture.png")
    assert reader.read(Task(1, "p", str(tmp_path / "picture.png"), size_bytes=1000)).limit[0] == "bytes"


@pytest.mark.parametrize(
    ("name", "content"), [("x.mp4", b""), ("x.mp4", b"no film" * 100), ("x.pdf", b"%PDF-1.4"), ("x.pdf", b"")]
)
def test_what_is_no_film_or_document_has_a_reason(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with closing(WorkerPool(SPEC, limits=DecodingLimits())) as pool:
        found = read(tmp_path / name, pool)
    assert found.outcome == "failed"
    assert found.is_lasting
    assert found.reason and "\n" not in found.reason
