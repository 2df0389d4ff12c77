"""Read, validate and write `model.json` of a compiled model directory.

Format 1 is the starter's: the image model takes normalised float32 pixels. Format 2 is written by `compile`: the image
model takes uint8 crops, and the fingerprint is that of the source model, so that both can be used with the same
catalog.
"""

import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from clipsearch.encoders.base import ProbabilityHead
from clipsearch.encoders.fingerprint import fingerprint_of, hash_file
from clipsearch.errors import ModelError
from clipsearch.files import read_regular_file
from clipsearch.images.preprocess import Preprocess, as_json, from_json

SPEC_NAME = "model.json"
FORMAT = 2
_MAX_BYTES = 10_000_000

BULK_ROWS = 8
"""Crops of one inference request in bulk: small ones keep all streams busy until the end, larger were not faster."""

Precision = Literal["f32", "bf16", "f16", "int8"]

FLOATS: tuple[Precision, ...] = ("f32", "bf16", "f16")
"""Precisions of one and the same image and text model; that of int8 is another one, see `quantise`."""

_RESAMPLE = {"bilinear": 2, "bicubic": 3}


@dataclass(frozen=True, slots=True)
class CompiledSpec:
    """Description of a compiled model.

    Attributes:
        fingerprint: as in `Encoder`.
        dim: dimensions of a row.
        context_length: tokens of text, start and end tokens included.
        preprocess: preprocessing of pictures.
        head: conversion of cosines to probabilities.
        image_file: name of the image model in the directory.
        text_file: name of the text model in the directory.
        tokenizer_file: name of the tokenizer in the directory, in the format of the library tokenizers.
        takes_crops: the image model takes uint8 crops (n, height, width, 3), else normalised pixels (n, 3, height,
            width).
        pad_id: the padding token.
        pads_to_context: texts are padded to the full context without an attention mask, as for SigLIP.
        lower_case: texts are lower-cased before tokenization.
        precision: of the arithmetic if the processor supports it, else float32. Weights are float16 or int8. "int8": of
            the products of linear layers and convolutions, else float32.
        patch_grid: rows and columns of patches, where they are aligned with texts: the image model's second output is
            their unit-norm rows (n, patches, dim). None: it has none.
        prompt: text before every text.
        bulk_file: name of an image model for exactly `BULK_ROWS` crops that is faster than the one of any number; None:
            there is none.
    """

    fingerprint: str
    dim: int
    context_length: int
    preprocess: Preprocess
    head: ProbabilityHead
    image_file: str
    text_file: str
    tokenizer_file: str
    takes_crops: bool
    pad_id: int
    pads_to_context: bool
    lower_case: bool
    precision: Precision
    patch_grid: tuple[int, int] | None = None
    prompt: str = ""
    bulk_file: str | None = None


# Fields added after format 2, left out where they have these values.
_OPTIONAL = {"patch_grid": None, "prompt": "", "bulk_file": None}


def is_compiled_directory(directory: Path) -> bool:
    """Return whether a directory contains a compiled model."""
    return (directory / SPEC_NAME).is_file()


def read_spec(directory: Path, *, rehash: bool = False) -> CompiledSpec:
    """Read and validate the description of a compiled model, and verify the hashes of its files.

    Args:
        directory: the compiled model directory.
        rehash: hash every file again, ignoring cached hashes.

    Raises:
        ModelError: not a compiled model directory, one of a newer format, or a damaged one.
    """
    path = directory / SPEC_NAME
    try:
        content: dict[str, Any] = json.loads(read_regular_file(path, max_bytes=_MAX_BYTES))
        match content["format"]:
            case 1:
                return _read_format_1(directory, content, rehash)
            case 2:
                return _read_format_2(directory, content, rehash)
            case other:
                raise ModelError(f"{path} has format {other!r}; this clipsearch reads up to format {FORMAT}")
    # An untrusted file may contain anything, such as numbers out of range or a hundred thousand nested brackets.
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ModelError(f"{directory} is not a valid compiled model directory: {error!r}") from error


def write_spec(directory: Path, spec: CompiledSpec) -> None:
    """Write `model.json` with the hashes of all files in the directory."""
    files = sorted(path.name for path in directory.iterdir() if path.name != SPEC_NAME)
    described = {key: value for key, value in asdict(spec).items() if value != _OPTIONAL.get(key, ...)}
    content = {
        "format": FORMAT,
        **described,
        "preprocess": as_json(spec.preprocess),
        "files": {name: hash_file(directory / name) for name in files},
    }
    (directory / SPEC_NAME).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _read_format_1(directory: Path, content: dict[str, Any], rehash: bool) -> CompiledSpec:
    image, text, pictures = content["image"], content["text"], content["preprocess"]
    size = int(pictures["size"])
    preprocess = Preprocess(
        height=size,
        width=size,
        shortest_edge=size if pictures["resize"] == "crop" else None,
        resample=_RESAMPLE[pictures["interpolation"]],
        rescale_factor=1 / 255,
        mean=tuple(pictures["mean"]),
        std=tuple(pictures["std"]),
    )
    head = ProbabilityHead("softmax", float(content["logit_scale"]))
    context_length = int(text["max_tokens"])
    _require(directory, image["file"], text["file"], text["tokenizer"])
    fingerprint = fingerprint_of(
        weights=[directory / image["file"], directory / text["file"]],
        tokenizer_files=[directory / text["tokenizer"]],
        preprocess=preprocess,
        settings={"type": "compiled", "context_length": context_length, "logit_scale": head.logit_scale},
        rehash=rehash,
    )
    spec = CompiledSpec(
        fingerprint=fingerprint,
        dim=int(content["dim"]),
        context_length=context_length,
        preprocess=preprocess,
        head=head,
        image_file=image["file"],
        text_file=text["file"],
        tokenizer_file=text["tokenizer"],
        takes_crops=False,
        pad_id=int(text["pad_id"]),
        pads_to_context=False,
        lower_case=False,
        # With bf16 the starter's rows have a cosine of only 0.994 with those of torch.
        precision="f32",
    )
    _check_numbers(spec)
    return spec


def _read_format_2(directory: Path, content: dict[str, Any], rehash: bool) -> CompiledSpec:
    del content["format"]
    files: dict[str, str] = content.pop("files")
    preprocess, head = content.pop("preprocess"), content.pop("head")
    if content.get("patch_grid") is not None:
        content["patch_grid"] = tuple(content["patch_grid"])
    spec = CompiledSpec(
        **content,
        preprocess=from_json(preprocess),
        head=ProbabilityHead(**head),
    )
    # Validated, as it becomes part of file names.
    if not re.fullmatch("[0-9a-f]{64}", spec.fingerprint):
        raise ValueError(f"fingerprint {spec.fingerprint!r}")
    if spec.precision not in get_args(Precision):
        raise ValueError(f"precision {spec.precision!r}")
    if not all(type(flag) is bool for flag in (spec.takes_crops, spec.pads_to_context, spec.lower_case)):
        raise TypeError("a flag is neither true nor false")
    if type(spec.prompt) is not str:
        raise TypeError(f"prompt {spec.prompt!r}")
    if spec.bulk_file is not None and type(spec.bulk_file) is not str:
        raise TypeError(f"bulk_file {spec.bulk_file!r}")
    _check_numbers(spec)
    models = {spec.image_file, spec.text_file} | ({spec.bulk_file} if spec.bulk_file is not None else set())
    used = models | {spec.tokenizer_file}
    _require(directory, *used, *files)
    # OpenVINO reads the weights of image.xml from image.bin.
    weights = {str(Path(name).with_suffix(".bin")) for name in models}
    if not used | {name for name in weights if (directory / name).exists()} <= files.keys():
        raise ValueError("a file without a hash")
    for name, digest in files.items():
        if hash_file(directory / name, rehash=rehash) != digest:
            raise ModelError(f"{directory / name} is damaged")
    return spec


def _check_numbers(spec: CompiledSpec) -> None:
    """Validate the numbers of an untrusted description.

    Raises:
        ValueError, TypeError: a number is out of range or has the wrong type.
    """
    preprocess, head = spec.preprocess, spec.head
    edge = preprocess.height if preprocess.shortest_edge is None else preprocess.shortest_edge
    grid = preprocess.patches
    patches = () if grid is None else (grid.size, grid.max_patches, grid.multiple)
    more = (*patches, *(preprocess.resized or ()), *(spec.patch_grid or ()))
    sizes = (preprocess.height, preprocess.width, edge, spec.dim, spec.context_length, *more)
    if not all(type(size) is int and 0 < size <= 1 << 16 for size in sizes) or spec.context_length <= 2:
        raise ValueError(f"sizes {sizes}")
    if type(spec.pad_id) is not int or not 0 <= spec.pad_id < 1 << 31:
        raise ValueError(f"pad_id {spec.pad_id!r}")
    if grid is not None and (preprocess.height, preprocess.width) != grid.crop_shape:
        raise ValueError(f"patches {grid}")
    if preprocess.resample not in range(6):
        raise ValueError(f"resample {preprocess.resample!r}")
    if head.kind not in ("softmax", "sigmoid"):
        raise ValueError(f"head {head.kind!r}")
    if len(preprocess.mean) != 3 or len(preprocess.std) != 3 or 0 in (*preprocess.std, preprocess.rescale_factor):
        raise ValueError("mean or std")
    if not all(map(math.isfinite, (*preprocess.scale, *preprocess.shift, head.logit_scale, head.logit_bias))):
        raise ValueError("a number that is not finite")


def _require(directory: Path, *names: str) -> None:
    for name in names:
        if Path(name).name != name or not (directory / name).is_file():
            raise ModelError(f"the model directory {directory} has no file {name!r}")
