"""Quantise a compiled model to int8, check its rows against those of float32, and measure whether it is faster.

Run as a subprocess (`python -m clipsearch.encoders.openvino.int8 SOURCE TARGET`, see `cache`), as `compile` is.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch import paths
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.embed_image import picture_crop
from clipsearch.encoders.openvino import quantise
from clipsearch.encoders.openvino.agreement import Agreement, compare_rows
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.encoders.openvino.int8_record import Int8Record, write_record
from clipsearch.encoders.openvino.runtime import has_int8_products, with_preprocessing
from clipsearch.encoders.openvino.spec import BULK_ROWS, CompiledSpec, read_spec, write_spec
from clipsearch.encoders.openvino.timing import batch_of, measure_image_ms, write_image_ms
from clipsearch.errors import ImageReadError, ModelError
from clipsearch.notices import muted
from clipsearch.openvino_loader import import_openvino

# Shares of the layers that stay in floating point, those with the largest rounding errors first, until rows agree.
_KEPT_SHARES = (0.0, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 1 / 2)

# Rounds of a measurement, the best of which counts: CPU time, which other processes disturb less than the clock.
_ROUNDS, _TEXT_ROUNDS = 3, 20

_TEXTS = ("x", "a photo of a cat", "two people walk along the beach at sunset", "snow", "Ein Hund im Schnee")


class NotQuantisableError(ModelError):
    """Raised when a model in int8 is too far from float32, so that a retry is useless."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tower:
    """The image or the text model.

    Attributes:
        file: of the model in float32.
        read: reads it, as OpenVINO's model.
        inputs: to observe ranges with, one batch each.
        encode: embeds what rows are compared for, twice as many.
        exact: the rows in float32.
    """

    file: str
    read: Callable[[], Any]
    inputs: Sequence[Any]
    encode: Callable[[Encoder], NDArray[np.float32]]
    exact: NDArray[np.float32]


def make_int8(source: Path, target: Path) -> Int8Record:
    """Quantise a compiled model directory into the directory `target`, and write what was measured next to it.

    Ranges are observed for half of the sample pictures and captions, rows compared for all of them. Where those of
    texts differ too much, or are no faster, the text model stays in floating point.

    Raises:
        NotQuantisableError: the rows of pictures differ too much.
        ModelError: the model can't be read or run.
    """
    spec = read_spec(source)
    exact = CompiledEncoder(source, name="float32", precision="f32", cache_blobs=False)
    crops, texts = _sample_crops(exact), [*_sample_captions(), *_TEXTS]
    target.mkdir(parents=True, exist_ok=True)
    _copy_model(source, target, spec.text_file)
    shutil.copy(source / spec.tokenizer_file, target / spec.tokenizer_file)
    with_bulk = not has_int8_products()
    spec = replace(
        spec,
        precision="int8",
        image_file="image.xml",
        takes_crops=True,
        bulk_file="bulk.xml" if with_bulk else None,
    )
    images = _Tower(
        file="image.xml",
        read=lambda: _read_image_model(source),
        inputs=[{0: crop[np.newaxis]} for crop in crops[::2]],
        encode=lambda encoder: encoder.encode_images(crops),
        exact=exact.encode_images(crops),
    )
    found = _quantise_tower(images, target, spec)
    if not found.agreement.is_close:
        raise NotQuantisableError(f"int8 is too far from float32 for this model: {found.agreement}")
    text_agreement = _quantise_texts(exact, texts, source, target, spec)
    encoder = CompiledEncoder(target, name="int8", cache_blobs=False)
    other = CompiledEncoder(source, name="other", cache_blobs=False)
    batch = batch_of(crops)
    image_ms, other_ms = _compare_ms(
        lambda: encoder.encode_images(batch), lambda: other.encode_images(batch), len(batch), _ROUNDS
    )
    record = Int8Record(
        image_ms=image_ms,
        other_ms=other_ms,
        other=other.precision,
        images=found.agreement,
        texts=text_agreement,
        kept_layers=found.kept_layers,
        layers=found.layers,
    )
    write_record(target, record)
    write_image_ms(target, measure_image_ms(encoder, crops))
    return record


@dataclass(frozen=True, slots=True)
class _Found:
    agreement: Agreement
    kept_layers: int
    layers: int


def _quantise_tower(tower: _Tower, target: Path, spec: CompiledSpec) -> _Found:
    """Write a tower with as many layers in int8 as agree; returns the last attempt where none does."""
    has_wide_sums = has_int8_products()
    ranges = quantise.observe_ranges(tower.read(), tower.inputs)
    layers = quantise.find_layers(tower.read())
    order = quantise.rank_layers(layers, ranges, has_wide_sums=has_wide_sums)
    found = _Found(Agreement(0, 0, 0), len(layers), len(layers))
    for share in _KEPT_SHARES if layers else ():
        kept = frozenset(order[: round(share * len(order))])
        for is_bulk in (False, True) if spec.bulk_file is not None and tower.file == "image.xml" else (False,):
            model = tower.read()
            quantise.quantise_model(model, ranges, kept=kept, has_wide_sums=has_wide_sums, as_convolutions=is_bulk)
            if is_bulk:
                model.reshape([BULK_ROWS, spec.preprocess.height, spec.preprocess.width, 3])
            name = str(spec.bulk_file) if is_bulk else tower.file
            # What was float16 stays so; the steps of weights may be too small for it.
            import_openvino().save_model(model, str(target / name), compress_to_fp16=False)
        write_spec(target, spec)
        encoder = CompiledEncoder(target, name="int8", cache_blobs=False)
        found = _Found(compare_rows(tower.encode(encoder), tower.exact), len(kept), len(layers))
        encoder.close()
        if found.agreement.is_close:
            break
    return found


def _quantise_texts(
    exact: CompiledEncoder, texts: Sequence[str], source: Path, target: Path, spec: CompiledSpec
) -> Agreement | None:
    """Quantise the text model where its rows agree and it is faster, else leave the copy; None then."""
    if not spec.text_file.endswith(".xml"):  # the starter's weights are int8 already
        write_spec(target, spec)
        return None
    with muted():
        tower = _Tower(
            file=spec.text_file,
            read=lambda: import_openvino().Core().read_model(str(source / spec.text_file)),
            inputs=[
                exact.text_inputs([text]) for text in texts[::2] if exact.count_tokens(text) <= exact.context_length
            ],
            encode=lambda encoder: encoder.encode_texts(texts),
            exact=exact.encode_texts(texts),
        )
        found = _quantise_tower(tower, target, spec)
        encoder = CompiledEncoder(target, name="int8", cache_blobs=False)
        other = CompiledEncoder(source, name="other", cache_blobs=False)
        if found.agreement.is_close:
            one = [texts[0]]
            text_ms, other_ms = _compare_ms(
                lambda: encoder.encode_texts(one), lambda: other.encode_texts(one), 1, _TEXT_ROUNDS
            )
            if text_ms < other_ms:
                return found.agreement
    encoder.close()
    _copy_model(source, target, spec.text_file)
    write_spec(target, spec)
    return None


def _read_image_model(source: Path) -> Any:
    spec = read_spec(source)
    path = source / spec.image_file
    return (
        import_openvino().Core().read_model(str(path))
        if spec.takes_crops
        else with_preprocessing(path, spec.preprocess)
    )


def _copy_model(source: Path, target: Path, name: str) -> None:
    for path in (source / name, (source / name).with_suffix(".bin")):
        if path.exists():
            shutil.copy(path, target / path.name)


def _sample_crops(encoder: Encoder) -> NDArray[np.uint8]:
    """Return the model's input of the bundled sample pictures, (n, height, width, 3)."""
    crops = []
    for path in sorted(paths.sample_data_folder().glob("*/*.*")):
        try:
            crops.append(picture_crop(path, encoder.preprocess))
        except ImageReadError:  # a format that Pillow lacks here
            continue
    return np.stack(crops)


def _sample_captions() -> list[str]:
    lines = (paths.sample_data_folder() / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    return [str(json.loads(line)["caption"]) for line in lines]


def _compare_ms(one: Callable[[], object], other: Callable[[], object], count: int, rounds: int) -> tuple[float, float]:
    """Measure CPU milliseconds of `count` inputs by two functions in turn: the least of each, after a warm-up."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for work, found in zip((one, other), seconds, strict=True):
            began = time.process_time()
            work()
            found.append(time.process_time() - began)
    first, second = (1000 * max(min(found[1:]), 1e-9) / count for found in seconds)
    return first, second


if __name__ == "__main__":
    make_int8(Path(sys.argv[1]), Path(sys.argv[2]))
