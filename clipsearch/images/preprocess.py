"""Preprocess upright RGB pictures for a vision tower.

Two steps, so that the first can run in decoding threads and the data queued in between stays small:
`resize_and_crop` gives uint8 (height, width, 3); `to_pixel_values` makes the normalised float32 batch.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import ModelError
from clipsearch.images.patch_grid import PatchGrid, shapes_of

if TYPE_CHECKING:  # code that only uses `Preprocess` needs no Pillow
    from PIL import Image

# Support in pixels of Pillow's widest filter, Lanczos, to each side, times the scale.
_WIDEST_SUPPORT = 3

# Class attributes of the image processors, transformers 5.23.
_CLIP_DEFAULTS: dict[str, Any] = {
    "do_resize": True,
    "size": {"shortest_edge": 224},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": (0.48145466, 0.4578275, 0.40821073),  # OPENAI_CLIP_MEAN
    "image_std": (0.26862954, 0.26130258, 0.27577711),  # OPENAI_CLIP_STD
}
_SIGLIP_DEFAULTS: dict[str, Any] = {
    **_CLIP_DEFAULTS,
    "size": {"height": 224, "width": 224},
    "do_center_crop": False,
    "crop_size": None,
    "image_mean": (0.5, 0.5, 0.5),  # IMAGENET_STANDARD_MEAN
    "image_std": (0.5, 0.5, 0.5),  # IMAGENET_STANDARD_STD
}
_PROCESSOR_DEFAULTS: dict[str, dict[str, Any]] = {
    "CLIP": _CLIP_DEFAULTS,
    "ChineseCLIP": _CLIP_DEFAULTS,
    "Siglip": _SIGLIP_DEFAULTS,
    "Siglip2": {**_SIGLIP_DEFAULTS, "resample": 2, "patch_size": 16, "max_num_patches": 256},
    "Tipsv2": {**_SIGLIP_DEFAULTS, "size": {"height": 448, "width": 448}, "resample": 2, "do_normalize": False},
    "EfficientNet": {
        **_SIGLIP_DEFAULTS,
        "size": {"height": 346, "width": 346},
        "crop_size": {"height": 289, "width": 289},
        "rescale_offset": False,
        "include_top": True,
    },
    "Gemma4": {
        **_SIGLIP_DEFAULTS,
        "do_normalize": False,
        "patch_size": 16,
        "max_soft_tokens": 280,
        "pooling_kernel_size": 3,
    },
}

# Patches of one picture; more would need gigabytes for a batch.
_MAX_PATCHES = 1 << 14

# Fields added later: left out of descriptions where they are None, so that fingerprints and files of older models stay.
_OPTIONAL = ("resized", "patches")


@dataclass(frozen=True, slots=True)
class Preprocess:
    """Preprocessing of one model's pictures.

    Attributes:
        height: pixels of the model's input.
        width: pixels of the model's input.
        shortest_edge: the shorter side is resized to this many pixels and the centre is cropped;
            None resizes straight to (height, width), whatever the picture's shape.
        resample: Pillow's filter number (2 bilinear, 3 bicubic).
        rescale_factor: applied to the 0–255 values before mean and std.
        mean: per channel, RGB.
        std: per channel, RGB.
        resized: height and width that a picture of any shape is resized to before the centre is cropped; None: see
            `shortest_edge`.
        patches: the picture keeps its shape and becomes a grid of patches, packed into (height, width); None: fixed.
    """

    height: int
    width: int
    shortest_edge: int | None
    resample: int
    rescale_factor: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resized: tuple[int, int] | None = None
    patches: PatchGrid | None = None

    @property
    def resized_side(self) -> int:
        """Length in pixels that a picture's shorter side is resized to.

        When resizing straight to height × width it is the longer of both, which a picture rotated before may need.
        """
        if self.shortest_edge is None and self.patches is not None:
            return self.patches.longest_short_side
        return self.shortest_edge or max(self.resized or (self.height, self.width))

    @property
    def covers_picture(self) -> bool:
        """Whether the whole picture is resized to (height, width): nothing cropped, no variable shape."""
        return self.shortest_edge is None and self.resized is None and self.patches is None

    @property
    def scale(self) -> tuple[float, ...]:
        """Factor per channel: pixel values are byte * scale - shift."""
        return tuple(self.rescale_factor / std for std in self.std)

    @property
    def shift(self) -> tuple[float, ...]:
        """Offset per channel, see `scale`."""
        return tuple(mean / std for mean, std in zip(self.mean, self.std, strict=True))


def resize_and_crop(
    image: "Image.Image", spec: Preprocess, *, box: tuple[float, float, float, float] | None = None
) -> NDArray[np.uint8]:
    """Resize and crop an upright RGB picture to the model's size, as transformers' PIL processors do.

    Only the area inside the centre crop is resized, which saves a quarter of the time for a 4:3 picture and keeps a
    1 × 4,000 picture from becoming 224 × 896,000. Pillow stores the box in single precision: about one value in 10,000
    differs from transformers by a level (of 255), seldom two. Where nothing is cropped all are equal.

    Args:
        image: mode "RGB", orientation applied, alpha already on white (see `images.decode`).
        box: left, top, right and bottom edge of the area to use as the picture; None is all of it.

    Returns:
        (height, width, 3) uint8, contiguous.

    Raises:
        ValueError: the picture has another mode.

    Source: transformers 5.23 `image_transforms.py`: `get_resize_output_image_size(default_to_square=False)`,
        `resize`, `center_crop`.
    """
    if image.mode != "RGB":
        raise ValueError(f"an RGB picture is needed, not mode {image.mode}")
    left, top, right, bottom = box or (0, 0, *image.size)
    width, height = right - left, bottom - top
    if spec.patches is not None:
        rows, columns = spec.patches.shape_for(height, width)
        size = columns * spec.patches.size, rows * spec.patches.size
        return spec.patches.pack(_as_array(image.resize(size, spec.resample, box=(left, top, right, bottom))))
    if spec.resized is not None:
        whole = _as_array(image.resize(spec.resized[::-1], spec.resample, box=(left, top, right, bottom)))
        return _center_crop(whole, spec)
    if spec.shortest_edge is None:
        return stretch(image, spec, (left, top, right, bottom))

    resized_long = int(spec.shortest_edge * max(width, height) / min(width, height))
    resized = (spec.shortest_edge, resized_long) if width <= height else (resized_long, spec.shortest_edge)
    first_column, columns, left_padding = _crop_span(resized[0], spec.width)
    first_row, rows, top_padding = _crop_span(resized[1], spec.height)
    scale_x, scale_y = width / resized[0], height / resized[1]
    crop_box = (
        left + first_column * scale_x,
        top + first_row * scale_y,
        min(left + (first_column + columns) * scale_x, right),  # rounding
        min(top + (first_row + rows) * scale_y, bottom),
    )
    return _pad(
        _as_array(_resize_box(image, (columns, rows), spec.resample, crop_box)), spec, top_padding, left_padding
    )


def stretch(image: "Image.Image", spec: Preprocess, box: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    """Resize an area of a picture to the model's input without cropping it: (height, width, 3) uint8.

    Its shape is kept where the model takes patches, else not.
    """
    if spec.patches is not None:
        return resize_and_crop(image, spec, box=box)
    return _as_array(image.resize((spec.width, spec.height), spec.resample, box=box))


def to_pixel_values(crops: NDArray[np.uint8], spec: Preprocess) -> NDArray[np.float32]:
    """Rescale and normalise crops: (n, height, width, 3) uint8 → (n, 3, height, width) float32, contiguous.

    Of patches: → (n, max_patches, size² * 3), zero where a picture has fewer.
    """
    if spec.patches is not None:
        values = crops[:, 1:] * np.array(spec.scale, dtype=np.float32) - np.array(spec.shift, dtype=np.float32)
        is_patch = np.arange(spec.patches.max_patches) < shapes_of(crops).prod(axis=1)[:, None]
        return np.ascontiguousarray((values * is_patch[..., None, None]).reshape(*is_patch.shape, -1), np.float32)
    scale, shift = np.array(spec.scale, dtype=np.float32), np.array(spec.shift, dtype=np.float32)
    pixel_values = crops.transpose(0, 3, 1, 2).astype(np.float32, order="C")
    pixel_values *= scale[:, None, None]
    pixel_values -= shift[:, None, None]
    return pixel_values


def as_json(spec: Preprocess) -> dict[str, Any]:
    """Describe preprocessing as JSON values, for `from_json`."""
    return {key: value for key, value in asdict(spec).items() if key not in _OPTIONAL or value is not None}


def from_json(content: Mapping[str, Any]) -> Preprocess:
    """Read what `as_json` describes; numbers are not validated.

    Raises:
        TypeError, LookupError: missing or unknown keys.
    """
    options = {**content, **{key: tuple(content[key]) for key in ("mean", "std")}}
    if content.get("resized") is not None:
        options["resized"] = tuple(content["resized"])
    if content.get("patches") is not None:
        options["patches"] = PatchGrid(**content["patches"])
    return Preprocess(**options)


def from_processor_config(config: Mapping[str, Any]) -> Preprocess:
    """Read a transformers `preprocessor_config.json` of an image processor named in `_PROCESSOR_DEFAULTS`.

    Missing or null keys take the default of the image processor that the file names; without a name it is read as
    CLIP's.

    Raises:
        ModelError: the file requires what a fixed-size resize and crop can't do.

    Source: transformers 5.24 `image_processing_base.py`, `image_processing_utils.py` (`get_size_dict`) and the
        processors named in `_PROCESSOR_DEFAULTS`.
    """
    defaults = _processor_defaults(config)
    options = {**defaults, **{key: value for key, value in config.items() if value is not None}}
    if options.get("do_pad"):
        raise ModelError("the image processor pads its pictures (do_pad), which is not supported")
    if not options["do_resize"]:
        raise ModelError(
            "the image processor does not resize its pictures (do_resize is false), which is not supported"
        )

    patches = _patch_grid(options)
    if patches is None:
        height, width, shortest_edge, resized = _target_size(options)
    else:
        (height, width), shortest_edge, resized = patches.crop_shape, None, None
    rescale_factor = _number(options["rescale_factor"], "rescale_factor") if options["do_rescale"] else 1.0
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if options["do_normalize"]:
        mean = _per_channel(options["image_mean"], "image_mean")
        std = _per_channel(options["image_std"], "image_std", not_zero=True)
    if options.get("rescale_offset") and options["do_rescale"]:
        mean = (mean[0] + 1, mean[1] + 1, mean[2] + 1)
    if options.get("include_top"):  # EfficientNet divides once more
        red, green, blue = _per_channel(options["image_std"], "image_std", not_zero=True)
        std = (std[0] * red, std[1] * green, std[2] * blue)
    return Preprocess(
        height=height,
        width=width,
        shortest_edge=shortest_edge,
        resample=_whole_number(options["resample"], "resample", allowed=range(6)),
        rescale_factor=rescale_factor,
        mean=mean,
        std=std,
        resized=resized,
        patches=patches,
    )


def _resize_box(
    image: "Image.Image", size: tuple[int, int], resample: int, box: tuple[float, float, float, float]
) -> "Image.Image":
    """Resize a part of an RGB picture, with Pillow's two passes in the order that the whole picture would take."""
    left, top, right, bottom = box
    scale = (bottom - top) / size[1]
    is_vertical_first = scale > 1 and image.height > 2 * image.width
    if image.height > image.width and not is_vertical_first:
        # By itself Pillow 13 may begin with the vertical pass when that drops more than twice as many rows, and a crop
        # drops rows. So the horizontal pass is done here, on the needed rows.
        margin = math.ceil(_WIDEST_SUPPORT * max(scale, 1))
        start, end = max(0, math.floor(top) - margin), min(image.height, math.ceil(bottom) + margin)
        strip = image.crop((0, start, image.width, end))
        image = strip.resize((size[0], strip.height), resample, box=(left, 0, right, strip.height))
        left, top, right, bottom = 0, top - start, size[0], bottom - start
    return image.resize(size, resample, box=(left, top, right, bottom))


def _center_crop(pixels: NDArray[np.uint8], spec: Preprocess) -> NDArray[np.uint8]:
    first_row, rows, top_padding = _crop_span(pixels.shape[0], spec.height)
    first_column, columns, left_padding = _crop_span(pixels.shape[1], spec.width)
    cropped = np.ascontiguousarray(pixels[first_row : first_row + rows, first_column : first_column + columns])
    return _pad(cropped, spec, top_padding, left_padding)


def _pad(pixels: NDArray[np.uint8], spec: Preprocess, top: int, left: int) -> NDArray[np.uint8]:
    rows, columns = pixels.shape[:2]
    if (rows, columns) == (spec.height, spec.width):
        return pixels
    padded = np.zeros((spec.height, spec.width, 3), dtype=np.uint8)
    padded[top : top + rows, left : left + columns] = pixels
    return padded


def _as_array(image: "Image.Image") -> NDArray[np.uint8]:
    # np.array, not asarray: a copy, so that the resized picture is not kept alive.
    return np.array(image, dtype=np.uint8)


def _crop_span(length: int, crop: int) -> tuple[int, int, int]:
    """Compute one axis of transformers' `center_crop`: (first row, number of rows, rows of padding before them)."""
    if length >= crop:
        return (length - crop) // 2, crop, 0
    return 0, length, math.ceil((crop - length) / 2)


def _processor_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    name = str(config.get("image_processor_type") or config.get("feature_extractor_type") or "CLIPImageProcessor")
    family = re.sub(r"(ImageProcessor(Fast|Pil)?|FeatureExtractor)$", "", name)
    if family not in _PROCESSOR_DEFAULTS:
        known = ", ".join(f"{family}ImageProcessor" for family in _PROCESSOR_DEFAULTS)
        raise ModelError(f"the image processor {name} is not supported; supported are {known}")
    return _PROCESSOR_DEFAULTS[family]


def _patch_grid(options: Mapping[str, Any]) -> PatchGrid | None:
    """Return the grid of a processor that keeps the shape of pictures, else None."""
    if "max_num_patches" in options:
        size = _whole_number(options.get("patch_size"), "patch_size", allowed=range(2, 257))
        count = _whole_number(options["max_num_patches"], "max_num_patches", allowed=range(1, _MAX_PATCHES + 1))
        return PatchGrid(size, count)
    if "max_soft_tokens" in options:
        size = _whole_number(options.get("patch_size"), "patch_size", allowed=range(2, 257))
        multiple = _whole_number(options.get("pooling_kernel_size"), "pooling_kernel_size", allowed=range(1, 17))
        tokens = range(1, _MAX_PATCHES // multiple**2 + 1)
        count = _whole_number(options["max_soft_tokens"], "max_soft_tokens", allowed=tokens)
        return PatchGrid(size, count * multiple**2, multiple, rounds_up=False)
    return None


def _target_size(options: Mapping[str, Any]) -> tuple[int, int, int | None, tuple[int, int] | None]:
    """Return (height, width, shortest_edge, resized) of `Preprocess`."""
    size = options["size"]
    # A bare number means the shortest edge: all these processors have default_to_square = False.
    size = {"shortest_edge": size} if isinstance(size, int | float) else size
    if isinstance(size, Mapping):
        size = {key: value for key, value in size.items() if value is not None}
    crop = _height_and_width(options["crop_size"], "crop_size") if options["do_center_crop"] else None

    if isinstance(size, Mapping) and set(size) == {"shortest_edge"}:
        if crop is None:
            raise ModelError(
                "the image processor resizes the shortest edge and does not crop, so its pictures have no fixed size"
            )
        return *crop, _whole_number(size["shortest_edge"], "size"), None
    height, width = _height_and_width(size, "size")
    if crop is None or crop == (height, width):
        return height, width, None, None
    return *crop, None, (height, width)


def _height_and_width(size: object, name: str) -> tuple[int, int]:
    if isinstance(size, int | float):
        size = (size, size)
    elif isinstance(size, Mapping) and {key for key, value in size.items() if value is not None} == {"height", "width"}:
        size = (size["height"], size["width"])
    if not isinstance(size, Sequence) or isinstance(size, str) or len(size) != 2:
        raise ModelError(f"the image processor's {name} is {size!r}, which is not supported")
    return _whole_number(size[0], name), _whole_number(size[1], name)


def _whole_number(value: object, name: str, *, allowed: range = range(1, 4097)) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value not in allowed:
        raise ModelError(
            f"the image processor's {name} is {value!r}, not a whole number from {allowed[0]} to {allowed[-1]}"
        )
    return int(value)


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ModelError(f"the image processor's {name} is {value!r}, not a number")
    return float(value)


def _per_channel(value: object, name: str, *, not_zero: bool = False) -> tuple[float, float, float]:
    values = [value] * 3 if isinstance(value, int | float) else value
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 3:
        raise ModelError(f"the image processor's {name} is {value!r}, not three numbers")
    red, green, blue = (_number(channel, name) for channel in values)
    if not_zero and 0 in (red, green, blue):
        raise ModelError(f"the image processor's {name} has a zero: {value!r}")
    return red, green, blue
