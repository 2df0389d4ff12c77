"""How far a compiled model is from the same one in torch: python -m tests.benchmarks.runtimes [--model NAME]

The same pictures and captions through both: how near the embeddings are, and whether sample_data is ranked the same.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.embed_image import embed_pictures
from clipsearch.encoders.load import load_encoder
from clipsearch.images.find import find_images
from clipsearch.types import ModelOptions
from tests.benchmarks import material
from tests.benchmarks.figures import sample_captions
from tests.benchmarks.measuring import REPOSITORY, workplace
from tests.benchmarks.photos import sample_paths

GOLDEN = REPOSITORY.parent / "shared" / "golden"


def compare(name: str) -> None:
    golden = [GOLDEN / image.relative_path for image in find_images(GOLDEN).images] if GOLDEN.is_dir() else []
    paths, captions = sample_paths(), list(sample_captions().values())
    rows = {}
    for runtime in ("torch", "openvino"):
        encoder = load_encoder(ModelOptions(name, device="cpu", runtime=runtime))
        rows[runtime] = (embed_pictures([*paths, *golden], encoder=encoder), encoder.encode_texts(captions))
    pictures, texts = ((one * other).sum(axis=1) for one, other in zip(*rows.values(), strict=True))
    print(f"{len(paths)} pictures of sample_data and {len(golden)} others  {_cosines(pictures)}")
    print(f"{len(captions)} captions of sample_data               {_cosines(texts)}")
    scores = [texts @ pictures[: len(paths)].T for pictures, texts in rows.values()]
    print(f"scores of captions with pictures          differ by at most {np.abs(scores[0] - scores[1]).max():.1e}")
    print("pictures ranked for each caption          " + _differences(*scores))
    print("captions ranked for each picture          " + _differences(*(part.T for part in scores)))


def _cosines(cosines: NDArray[np.float32]) -> str:
    return f"cosine at least {cosines.min():.6f}, median {np.median(cosines):.6f}"


def _differences(one: NDArray[np.float32], other: NDArray[np.float32]) -> str:
    """How the order of each row differs: places, first one, first five, the farthest way, the widest gap crossed."""
    orders = [np.argsort(-scores, axis=1, kind="stable") for scores in (one, other)]
    ranks = [np.argsort(order, axis=1) for order in orders]
    same_first, same_five = ((orders[0][:, :k] == orders[1][:, :k]).all(axis=1).sum() for k in (1, 5))
    # Pairs in one order here and in the other there, and how far apart their scores were here.
    gaps = one[:, :, np.newaxis] - one[:, np.newaxis, :]
    is_swapped = (gaps > 0) & (other[:, :, np.newaxis] < other[:, np.newaxis, :])
    return (
        f"{(orders[0] != orders[1]).sum()} of {one.size} places differ, the first is the same in {same_first} and the "
        f"first five in {same_five} of {len(one)}; farthest move {np.abs(ranks[0] - ranks[1]).max()} places, widest "
        f"gap between swapped scores {gaps[is_swapped].max(initial=0):.1e}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=material.RANDOM_CLIP, help=material.MODEL_HELP)
    parser.add_argument("--folder", type=Path, help="keep what is made here, and use it again")
    chosen = parser.parse_args()
    with workplace(chosen.folder) as place:
        compare(material.model_name(place, chosen.model))


if __name__ == "__main__":
    main()
