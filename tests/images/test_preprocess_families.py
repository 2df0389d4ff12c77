"""Patches, resizing before the crop and other scales, as transformers' image processors of more families make them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipsearch.images.patch_grid import PatchGrid, shapes_of
from clipsearch.images.preprocess import (
    Preprocess,
    as_json,
    from_json,
    from_processor_config,
    resize_and_crop,
    stretch,
    to_pixel_values,
)

NAFLEX: dict[str, Any] = {"image_processor_type": "Siglip2ImageProcessor"}
GEMMA: dict[str, Any] = {"image_processor_type": "Gemma4ImageProcessor"}
ALIGN: dict[str, Any] = {  # kakaobrain/align-base
    "image_processor_type": "EfficientNetImageProcessor",
    "size": {"height": 346, "width": 346},
    "crop_size": {"height": 289, "width": 289},
    "do_center_crop": True,
    "do_normalize": False,
    "include_top": False,
    "rescale_factor": 1 / 127.5,
    "rescale_offset": True,
    "resample": 2,
}
SIZES = [(640, 480), (480, 640), (224, 224), (31, 17), (1000, 130), (333, 777), (2500, 100), (90, 4000)]


def random_picture(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * 10_007 + height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def processor_of(config: dict[str, Any]) -> Any:
    from transformers.models.efficientnet.image_processing_pil_efficientnet import EfficientNetImageProcessorPil
    from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    kinds = {"Siglip2": Siglip2ImageProcessorPil, "Gemma4": Gemma4ImageProcessorPil}
    name = config["image_processor_type"].removesuffix("ImageProcessor")
    options = {key: value for key, value in config.items() if key != "image_processor_type"}
    return kinds.get(name, EfficientNetImageProcessorPil)(**options)


@pytest.mark.parametrize(
    "config",
    [NAFLEX, {**NAFLEX, "max_num_patches": 1024}, {**NAFLEX, "patch_size": 14, "max_num_patches": 100}],
    ids=["256 patches", "1024 patches", "small patches"],
)
@pytest.mark.parametrize("size", SIZES)
def test_patches_of_siglip_2_equal_those_of_transformers(config: dict[str, Any], size: tuple[int, int]) -> None:
    spec, picture = from_processor_config(config), random_picture(*size)
    expected = processor_of(config)(images=picture, return_tensors="np")
    crops = resize_and_crop(picture, spec)[None]
    assert crops.shape[1:] == (spec.height, spec.width, 3)
    assert shapes_of(crops).tolist() == expected["spatial_shapes"].tolist()
    pixel_values = to_pixel_values(crops, spec)
    assert pixel_values.dtype == np.float32
    np.testing.assert_allclose(pixel_values, expected["pixel_values"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("config", [GEMMA, {**GEMMA, "max_soft_tokens": 70}], ids=["280 tokens", "70 tokens"])
@pytest.mark.parametrize("size", SIZES)
def test_patches_of_gemma_equal_those_of_transformers(config: dict[str, Any], size: tuple[int, int]) -> None:
    spec, picture = from_processor_config(config), random_picture(*size)
    expected = processor_of(config)(images=picture, return_tensors="np")
    crops = resize_and_crop(picture, spec)[None]
    rows, columns = shapes_of(crops)[0]
    positions = expected["image_position_ids"][0]
    assert (columns, rows) == tuple(positions.max(axis=0) + 1)
    assert rows * columns == (positions >= 0).all(axis=1).sum()
    np.testing.assert_allclose(to_pixel_values(crops, spec), expected["pixel_values"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [ALIGN, {**ALIGN, "do_normalize": True}, {**ALIGN, "include_top": True, "image_std": [0.25, 0.5, 0.75]}],
    ids=["align-base", "normalised", "normalised twice"],
)
@pytest.mark.parametrize("size", SIZES)
def test_pictures_resized_before_the_crop_equal_those_of_transformers(
    config: dict[str, Any], size: tuple[int, int]
) -> None:
    spec, picture = from_processor_config(config), random_picture(*size)
    expected = processor_of(config)(images=picture, return_tensors="np")["pixel_values"]
    pixel_values = to_pixel_values(resize_and_crop(picture, spec)[None], spec)
    np.testing.assert_allclose(pixel_values, expected, rtol=0, atol=1e-5)


def test_align_rescales_to_minus_one_to_one() -> None:
    spec = from_processor_config(ALIGN)
    pixels = np.zeros((1, spec.height, spec.width, 3), np.uint8)
    pixels[..., :100, :] = 255
    assert set(np.unique(to_pixel_values(pixels, spec))) == {-1.0, 1.0}


def test_tipsv2_resizes_straight_and_does_not_normalise() -> None:
    spec = from_processor_config({"image_processor_type": "Tipsv2ImageProcessor"})
    assert spec == Preprocess(448, 448, None, 2, 1 / 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    picture = random_picture(640, 480)
    expected = np.asarray(picture.resize((448, 448), Image.Resampling.BILINEAR)).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(to_pixel_values(resize_and_crop(picture, spec)[None], spec)[0], expected, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 3000),
    height=st.integers(1, 3000),
    grid=st.sampled_from([PatchGrid(16, 256), PatchGrid(14, 60), PatchGrid(16, 90, 3, rounds_up=False)]),
)
def test_any_picture_fits_the_grid(width: int, height: int, grid: PatchGrid) -> None:
    rows, columns = grid.shape_for(height, width)
    assert rows * columns <= grid.max_patches
    assert (min(rows, columns) > 0, rows % grid.multiple, columns % grid.multiple) == (True, 0, 0)
    assert min(rows, columns) * grid.size <= grid.longest_short_side


def test_padding_is_zero_in_every_batch() -> None:
    spec = from_processor_config(NAFLEX)
    crops = np.stack([resize_and_crop(random_picture(*size), spec) for size in SIZES])
    pixel_values, counts = to_pixel_values(crops, spec), shapes_of(crops).prod(axis=1)
    assert len(set(counts.tolist())) > 2
    for values, count in zip(pixel_values, counts, strict=True):
        assert not values[count:].any()
        assert values[:count].any(axis=1).all()


def test_the_box_of_a_picture_is_all_of_it() -> None:
    spec, picture = from_processor_config(NAFLEX), random_picture(300, 200)
    box = (100, 20, 260, 60)
    expected = resize_and_crop(picture.crop(box), spec)
    assert np.array_equal(shapes_of(resize_and_crop(picture, spec, box=box)[None]), shapes_of(expected[None]))
    assert np.array_equal(stretch(picture, spec, box), resize_and_crop(picture, spec, box=box))


@pytest.mark.parametrize("config", [NAFLEX, GEMMA, ALIGN, {"image_processor_type": "Tipsv2ImageProcessor"}, {}])
def test_a_description_is_read_back(config: dict[str, Any]) -> None:
    import json

    spec = from_processor_config(config)
    assert from_json(json.loads(json.dumps(as_json(spec)))) == spec


def test_descriptions_of_older_models_stay() -> None:
    """They are part of fingerprints, and of compiled models in the cache."""
    assert set(as_json(from_processor_config({}))) == {
        "height", "width", "shortest_edge", "resample", "rescale_factor", "mean", "std",
    }  # fmt: skip
