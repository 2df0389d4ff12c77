"""Large JPEGs are decoded at a fraction of their size, and nothing else about them changes.

How far a crop may be from the one of the full size is stated as a mean difference in levels of 255.
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clipsearch.encoders.embed_image import embed_pictures
from clipsearch.encoders.load import load_encoder
from clipsearch.errors import ImageReadError
from clipsearch.images import decode
from clipsearch.images.decode import decode_image
from clipsearch.images.picture_reader import PictureReader, Task
from clipsearch.images.preprocess import Preprocess, resize_and_crop
from tests.support.orientations import TURNED_BACK

REPOSITORY = Path(__file__).parents[2]


def model(height: int = 100, width: int = 100, edge: int | None = 100) -> Preprocess:
    return Preprocess(height, width, edge, 3, 1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def scene(width: int, height: int) -> Image.Image:
    """Colours that tell every turn and flip apart, with edges and fine grain."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([255 * x / width, 255 * y / height, 128 + 90 * np.sin(x / 9) * np.cos(y / 7)], axis=-1)
    pixels[height // 8 : height // 3, width // 8 : width // 4] = (250, 240, 20)
    pixels += np.random.default_rng(0).normal(0, 8, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def jpeg(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, options.pop("format", "JPEG"), quality=90, **options)
    return buffer.getvalue()


def crops(content: bytes | Path, spec: Preprocess) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """From the scaled and from the full size."""
    scaled, full = decode_image(content, needed_side=spec.resized_side), decode_image(content)
    assert scaled.metadata == full.metadata
    assert scaled.image.width * scaled.image.height < full.image.width * full.image.height
    return (
        resize_and_crop(scaled.image, spec, box=scaled.box).astype(np.int16),
        resize_and_crop(full.image, spec).astype(np.int16),
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_looks_as_it_does_in_full(orientation: int) -> None:
    upright = scene(1203, 901)  # does not divide by 4
    stored = upright.transpose(TURNED_BACK[orientation]) if orientation in TURNED_BACK else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Canon"
    content = jpeg(stored, exif=exif)

    decoded = decode_image(content, needed_side=model().resized_side)
    assert decoded.image.size == (301, 226)
    assert (decoded.metadata.width, decoded.metadata.height) == (1203, 901)
    assert decoded.metadata.camera == "Canon"
    scaled, full = crops(content, model())
    assert np.abs(scaled - full).mean() < 1
    assert np.abs(scaled - resize_and_crop(upright, model())).mean() < 1.5


@pytest.mark.parametrize(
    ("size", "spec", "expected"),
    [
        ((800, 399), model(), (800, 399)),  # a half would have less than twice 100
        ((800, 400), model(), (400, 200)),
        ((801, 799), model(), (401, 400)),
        ((1000, 800), model(), (250, 200)),
        ((1600, 1700), model(), (200, 213)),
        ((3300, 3300), model(), (413, 413)),  # never less than an eighth
        ((1000, 800), model(60, 60, 200), (500, 400)),  # resized to 200, then cropped
        ((1000, 800), model(100, 40, None), (250, 200)),
        ((1000, 399), model(100, 40, None), (1000, 399)),
        ((99, 1), model(), (99, 1)),
    ],
)
def test_both_sides_stay_twice_what_the_model_gets(
    size: tuple[int, int], spec: Preprocess, expected: tuple[int, int]
) -> None:
    content = jpeg(Image.new("RGB", size))
    assert decode_image(content, needed_side=spec.resized_side).image.size == expected
    assert decode_image(content).image.size == size


@pytest.mark.parametrize("kind", ["grey", "CMYK", "progressive", "MPO", "4:4:4"])
def test_every_kind_of_jpeg_is_scaled(kind: str) -> None:
    picture = scene(900, 1000)
    content = {
        "grey": lambda: jpeg(picture.convert("L")),
        "CMYK": lambda: jpeg(picture.convert("CMYK")),
        "progressive": lambda: jpeg(picture, progressive=True),
        "MPO": lambda: jpeg(picture, format="MPO", save_all=True, append_images=[Image.new("RGB", (900, 1000))]),
        "4:4:4": lambda: jpeg(picture, subsampling=0),
    }[kind]()
    scaled, full = crops(content, model())
    assert np.abs(scaled - full).mean() < 1
    expected = resize_and_crop(picture.convert("L").convert("RGB") if kind == "grey" else picture, model())
    assert np.abs(scaled - expected).mean() < 2


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "HEIF", "AVIF", "JPEG2000", "GIF"])
def test_other_formats_are_decoded_in_full(file_format: str) -> None:
    decode_image(jpeg(scene(9, 9)))  # registers HEIF, so that it can be written
    content = jpeg(scene(500, 420), format=file_format)
    assert decode_image(content, needed_side=model().resized_side).image.size == (500, 420)


@pytest.mark.parametrize(("progressive", "share"), [(False, 0.02), (False, 0.3), (False, 0.6), (True, 0.02)])
def test_a_truncated_jpeg_is_called_so(progressive: bool, share: float) -> None:
    content = jpeg(scene(1000, 800), progressive=progressive)
    reasons = []
    for side in (None, model().resized_side):
        with pytest.raises(ImageReadError) as caught:
            decode_image(content[: int(share * len(content))], needed_side=side)
        reasons.append(str(caught.value))
    assert reasons == ["truncated: too little of it can be decoded"] * 2


def test_the_limit_is_for_the_full_size() -> None:
    content = jpeg(Image.new("RGB", (1000, 800)))
    with pytest.raises(ImageReadError, match=r"^too large: 0.8 megapixels, the limit is 0.7$"):
        decode_image(content, needed_side=model().resized_side, max_megapixels=0.7)


def test_only_what_needs_much_memory_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = 0

    @contextlib.contextmanager
    def turn() -> Iterator[None]:
        nonlocal turns
        turns += 1
        yield

    monkeypatch.setattr(decode, "_BIG_MEGAPIXELS", 0.5)
    monkeypatch.setattr(decode, "turn_of_a_big_picture", turn)
    picture = Image.new("RGB", (1000, 800))
    counts = []
    for content, side in [
        (jpeg(picture), None),
        (jpeg(picture), model().resized_side),
        (jpeg(picture, progressive=True), model().resized_side),
        (jpeg(picture, format="PNG"), model().resized_side),
        (jpeg(picture.resize((700, 700)), progressive=True), None),
    ]:
        turns = 0
        decode_image(content, needed_side=side)
        counts.append(turns)
    assert counts == [1, 0, 1, 1, 0]


def test_a_query_gets_the_very_crop_of_the_index(tmp_path: Path) -> None:
    path = tmp_path / "big.jpg"
    path.write_bytes(jpeg(scene(1600, 1200)))
    read = PictureReader(model(), find_stored=lambda _: ()).read(Task(1, path.name, str(path)))
    encoder: Any = SimpleNamespace(preprocess=model(), encode_images=lambda crops: crops)
    assert read.crop is not None
    np.testing.assert_array_equal(embed_pictures([path], encoder=encoder)[0], read.crop)
    assert read.metadata is not None
    assert (read.metadata.width, read.metadata.height) == (1600, 1200)


def test_embeddings_stay_the_same(tmp_path: Path) -> None:
    """Pictures of sample_data at eight times their size, and twenty megapixels of a camera if they are at hand."""
    paths = []
    for path in sorted((REPOSITORY / "sample_data").rglob("*.jpg"))[::10]:
        with Image.open(path) as image:
            big = image.convert("RGB").resize((8 * image.width, 8 * image.height))
        paths.append(tmp_path / path.name)
        paths[-1].write_bytes(jpeg(big))
    paths += sorted((REPOSITORY / "../shared/hostile/immich-test-assets/albums/text").glob("*-*.jpg"))
    encoder = load_encoder("starter")
    pairs = [crops(path, encoder.preprocess) for path in paths]
    scaled, full = (encoder.encode_images(np.stack(side).astype(np.uint8)) for side in zip(*pairs, strict=True))
    assert len(paths) >= 3
    assert (scaled * full).sum(axis=1).min() >= 0.999
