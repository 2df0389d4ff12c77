"""Damaged pictures of every kind: decoded or one reason, here and in a worker, and no decoder takes more with it."""

import io
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import event, given, reject
from hypothesis import strategies as st

from clipsearch.errors import ImageReadError
from clipsearch.images.decode import DecodingLimits, decode_image
from clipsearch.images.picture_reader import PictureReader, ReadPicture, Task
from clipsearch.images.preprocess import Preprocess, resize_and_crop
from clipsearch.images.worker_pool import WorkerPool
from tests.fuzz.budget import examples
from tests.fuzz.pictures import damaged, exif_of_a_camera, raw_samples, samples
from tests.support import colours
from tests.support.make_hostile import draw_scene
from tests.support.rare_pictures import rare_samples, samples_of_extras

SPEC = Preprocess(32, 48, None, 3, 1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
MAX_MEGAPIXELS = 16.0
PICTURES = st.sampled_from(sorted(samples())).map(samples().__getitem__)
RARE_KINDS = st.sampled_from(sorted(rare_samples()))
RAW_FILES = st.sampled_from(raw_samples())


class Crashes:
    """Files that killed their decoder: kept where they can be looked at, and told of at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.count = 0

    def keep(self, content: bytes, reason: str) -> None:
        self.count += 1
        path = self._folder / f"crash-{self.count}"
        path.write_bytes(content)
        warnings.warn(f"{path}: {reason}", UserWarning, stacklevel=2)


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with closing(WorkerPool(SPEC, limits=DecodingLimits(max_megapixels=MAX_MEGAPIXELS, max_seconds=20))) as pool:
        yield pool


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Crashes:
    return Crashes(tmp_path_factory.mktemp("crashes"))


def read_in_worker(pool: WorkerPool, path: Path) -> ReadPicture:
    reader = PictureReader(SPEC, find_stored=lambda _: (), open_list=pool.open_list)
    return reader.read(Task(1, path.name, str(path)))


def check_reason(reason: str) -> None:
    assert 0 < len(reason) <= 200
    assert "\n" not in reason
    reason.encode()
    assert "\0" not in reason


@pytest.mark.filterwarnings("default::UserWarning")
@examples(150)
@given(content=damaged(PICTURES))
def test_damaged_pictures_are_decoded_or_have_a_reason(
    content: bytes, tmp_path: Path, pool: WorkerPool, crashes: Crashes
) -> None:
    check_damaged(content, tmp_path / "picture", pool, crashes)


@pytest.mark.filterwarnings("default::UserWarning")
@examples(300)
@given(data=st.data(), kind=RARE_KINDS)
def test_damaged_pictures_of_rarer_kinds_are_decoded_or_have_a_reason(
    data: st.DataObject, kind: str, tmp_path: Path, pool: WorkerPool, crashes: Crashes
) -> None:
    suffix, _, content, _ = rare_samples()[kind]
    check_damaged(data.draw(damaged(st.just(content))), tmp_path / f"picture{suffix}", pool, crashes)


@pytest.mark.skipif(not samples_of_extras(), reason="needs one of the extras svg and jxl")
@pytest.mark.filterwarnings("default::UserWarning")
@examples(150)
@given(data=st.data(), kind=st.sampled_from([*samples_of_extras()] or [""]))
def test_damaged_pictures_of_extras_are_decoded_or_have_a_reason(
    data: st.DataObject, kind: str, tmp_path: Path, pool: WorkerPool, crashes: Crashes
) -> None:
    suffix, content = samples_of_extras()[kind]
    check_damaged(data.draw(damaged(st.just(content))), tmp_path / f"picture{suffix}", pool, crashes)


def check_damaged(content: bytes, path: Path, pool: WorkerPool, crashes: Crashes) -> None:
    path.write_bytes(content)
    found = read_in_worker(pool, path)
    event(found.outcome)
    if found.outcome == "failed":
        check_reason(found.reason)
        if "crashed" in found.reason or "ended with" in found.reason:
            crashes.keep(content, found.reason)
            return  # it would take the tests with it
        if "longer than" in found.reason:
            return
    else:
        assert found.crop is not None
        assert (found.crop.shape, found.crop.dtype) == ((32, 48, 3), np.uint8)
        if found.parts:  # frames and pages, which need not all be there
            return
    try:
        decoded = decode_image(
            content, max_megapixels=MAX_MEGAPIXELS, needed_side=SPEC.resized_side, suffix=path.suffix
        )
        crop = resize_and_crop(decoded.image, SPEC, box=decoded.box)
    except ImageReadError as error:
        check_reason(str(error))
        assert (found.outcome, found.reason) == ("failed", str(error))
        return
    assert found.outcome == "decoded"
    assert decoded.image.mode == "RGB"
    assert (crop.shape, crop.dtype) == ((32, 48, 3), np.uint8)
    # The hash and the measures are of the pixels, which the reader has at hand.
    assert found.metadata is not None
    assert replace(found.metadata, phash=None, sharpness=None, brightness=None) == decoded.metadata


@examples(150)
@given(exif=damaged(st.just(exif_of_a_camera())), kind=st.sampled_from(["JPEG", "PNG", "WEBP", "HEIF"]))
def test_no_exif_costs_a_picture(exif: bytes, kind: str, tmp_path: Path, pool: WorkerPool) -> None:
    buffer = io.BytesIO()
    decode_image(samples()["heif"])  # registers the format
    try:
        draw_scene(48, 32).save(buffer, kind, exif=exif[:60_000])
    except ValueError:  # libheif looks at what it writes
        reject()
    path = tmp_path / "picture"
    path.write_bytes(buffer.getvalue())
    found = read_in_worker(pool, path)
    assert (found.outcome, found.reason) == ("decoded", "")
    assert found.metadata is not None
    assert {found.metadata.width, found.metadata.height} == {48, 32}
    if found.metadata.camera is not None:
        assert found.metadata.camera.isprintable()
        found.metadata.camera.encode()


@examples(150)
@given(
    profile=damaged(st.sampled_from([colours.xyb_profile(), colours.press_profile(), colours.kinds()["ProPhoto"][0]]))
)
def test_no_profile_costs_a_picture(profile: bytes, tmp_path: Path, pool: WorkerPool, crashes: Crashes) -> None:
    scene = draw_scene(48, 32)
    path = tmp_path / "picture"
    for image in (scene, scene.convert("CMYK")):
        buffer = io.BytesIO()
        image.save(buffer, "TIFF", icc_profile=profile)
        path.write_bytes(buffer.getvalue())
        found = read_in_worker(pool, path)
        if "crashed" in found.reason or "ended with" in found.reason:
            crashes.keep(buffer.getvalue(), found.reason)
        assert (found.outcome, found.reason) == ("decoded", "")


@examples(150)
@given(content=damaged(RAW_FILES))
@pytest.mark.filterwarnings("default::UserWarning")
def test_damaged_raw_files_are_decoded_or_have_a_reason(
    content: bytes, tmp_path: Path, pool: WorkerPool, crashes: Crashes
) -> None:
    pytest.importorskip("rawpy")
    path = tmp_path / "picture.nef"
    path.write_bytes(content)
    found = read_in_worker(pool, path)
    event(found.outcome)
    if found.outcome == "decoded":
        assert found.crop is not None
        assert (found.crop.shape, found.crop.dtype) == ((32, 48, 3), np.uint8)
        return
    check_reason(found.reason)
    if "crashed" in found.reason or "ended with" in found.reason:
        crashes.keep(content, found.reason)
