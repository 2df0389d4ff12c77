"""Which blurred and badly exposed copies the filters find: python -m tests.benchmarks.quality [FOLDER ...]

Copies of photographs are blurred, moved, noisy, darker, lighter, smaller, saved again. The limits are fitted on every
other photograph, so that they take at most 3 % and 2 % of the originals, and what they find is counted on the others.
`--every 10` takes every tenth photograph, `--lowest 20` lists the originals with the lowest measures. The cost of
measuring is given beside that of decoding.
"""

import argparse
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from clipsearch.images.decode import decode_image
from clipsearch.images.find import find_images
from clipsearch.images.measures import Measures, measure
from clipsearch.paths import sample_data_folder
from clipsearch.query.filters import BLURRED_BELOW, DARK_BELOW
from tests.benchmarks.measuring import print_table

# Shares of the originals that a limit may take, for sharpness and brightness.
_SPARED = (0.03, 0.02)

_NEEDED_SIDE = 224


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[sample_data_folder()])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--lowest", type=int, default=0)
    options = parser.parse_args()
    paths = [folder / each.relative_path for folder in options.folders for each in find_images(folder).images]
    paths = sorted(paths)[:: options.every]
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(measure_versions, paths, chunksize=8))
    names = list(found[0])
    values = {name: np.array([each[name] for each in found]) for name in names}
    originals = values["original"]
    fitted = [int(np.quantile(originals[::2, column], share)) for column, share in enumerate(_SPARED)]
    print(f"{len(paths):,} photographs; fitted on half of them: sharp:<{fitted[0]}, bright:<{fitted[1]}\n")
    rows = [
        (name, *_shares(values[name], fitted), *_shares(values[name], (BLURRED_BELOW, DARK_BELOW))) for name in names
    ]
    blurred, dark = f"sharp:<{BLURRED_BELOW}", f"bright:<{DARK_BELOW}"
    print_table(["copies", "blurred, fitted", "dark, fitted", f"{blurred}", f"{dark}"], rows)
    median = np.median([measures.sharpness for measures in map(Measures._make, originals)])
    print(f"\nmedian sharpness {median:.0f}; processor time of measuring beside decoding: {_cost(paths):.3f}")
    for column, name in enumerate(Measures._fields):
        for row in np.argsort(originals[:, column], kind="stable")[: options.lowest]:
            print(f"{name} {originals[row, column]}: {paths[row]}")


def measure_versions(path: Path) -> dict[str, Measures]:
    image = decode_image(path, needed_side=_NEEDED_SIDE).image
    return {name: measure(version) for name, version in _versions(image, np.random.default_rng(image.size))}


def _shares(values: NDArray[np.int64], limits: tuple[int, ...] | list[int]) -> list[str]:
    """The shares of the other half that lie below the limits."""
    return [f"{np.mean(values[1::2, column] < limit):.3f}" for column, limit in enumerate(limits)]


def _cost(paths: list[Path]) -> float:
    decoding = measuring = 0.0
    for path in paths[:100]:
        start = process_time()
        decoded = decode_image(path, needed_side=_NEEDED_SIDE)
        middle = process_time()
        measure(decoded.image, decoded.box)
        decoding, measuring = decoding + middle - start, measuring + process_time() - middle
    return measuring / decoding


def _versions(image: Image.Image, rng: np.random.Generator) -> Iterator[tuple[str, Image.Image]]:
    """Copies; radii and lengths are shares of the longer side."""
    side = max(image.size)
    levels = np.asarray(image, dtype=np.float32)
    half = (max(1, image.width // 2), max(1, image.height // 2))
    yield "original", image
    yield "JPEG of quality 50", _saved(image, 50)
    yield "half the size", image.resize(half, Image.Resampling.LANCZOS)
    yield "contrast × 0.4", _picture(128 + 0.4 * (levels - 128))
    for share in (0.003, 0.005, 0.0075, 0.01, 0.02):
        yield f"blurred, σ {100 * share:g} %", _saved(image.filter(ImageFilter.GaussianBlur(share * side)))
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(0.01 * side)), dtype=np.float32)
    yield "blurred, σ 1 %, noise of 4 levels", _picture(soft + rng.normal(0, 4, (image.height, image.width, 1)))
    for share in (0.015, 0.03, 0.06):
        yield f"moved by {100 * share:g} %", _saved(_moved(image, share * side, rng.uniform(0, np.pi)))
    for stops in (-2, -3, -4, -5, 2, 3):
        yield f"exposed by {stops:+d} stops", _exposed(levels, stops)


def _picture(levels: NDArray[np.floating]) -> Image.Image:
    return Image.fromarray(levels.round().clip(0, 255).astype(np.uint8))


def _saved(image: Image.Image, quality: int = 85) -> Image.Image:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    return Image.open(content).convert("RGB")


def _moved(image: Image.Image, length: float, angle: float) -> Image.Image:
    """The mean of the picture shifted along a line, without the margins that it leaves."""
    offsets = np.linspace(-length / 2, length / 2, max(3, 2 * round(length)))
    shift: Callable[..., Image.Image] = partial(image.transform, image.size, Image.Transform.AFFINE)
    total = np.zeros((image.height, image.width, 3), dtype=np.float32)
    for offset in offsets:
        data = (1, 0, offset * np.cos(angle), 0, 1, offset * np.sin(angle))
        total += np.asarray(shift(data, Image.Resampling.BILINEAR))
    margin = int(length) // 2 + 1
    inside = total[margin : image.height - margin, margin : image.width - margin]
    return _picture((inside if inside.size else total) / len(offsets))


def _exposed(levels: NDArray[np.float32], stops: float) -> Image.Image:
    """Scale the light. Source of the transfer function: IEC 61966-2-1 (sRGB)."""
    share = levels / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    light = np.minimum(light * 2.0**stops, 1)
    return _picture(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055))


if __name__ == "__main__":
    main()
