"""Kinds of pictures with text: python -m tests.benchmarks.kinds FOLDER [--photos LABELS.jsonl] [--write]

FOLDER has a folder of pictures for each of `TEXT_KINDS`, and "other" ones. Names of files begin with their source and
end with "_NUMBER". The model is fitted on four fifths of the sources and measured on the fifth, five times; with
`--write` it is then fitted on all and written to `clipsearch/data/kinds.json`. `--photos`: photographs, which are
"other", too. `--as-is`: measures the model that is there on all pictures instead, which must be new to it.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from clipsearch import Catalog, data
from clipsearch.errors import ImageReadError
from clipsearch.formats import TEXT_KINDS
from clipsearch.images.decode import decode_image
from clipsearch.labels.assign import label_space_of_model
from clipsearch.ocr.kinds import FARTHEST, LABELS, LIKELY, OTHER, KindModel, TextPicture, kind_of, measures_of
from clipsearch.ocr.look import ReadImage
from clipsearch.ocr.models import bundled_models
from clipsearch.ocr.pieces import fit
from clipsearch.ocr.reader import load_reader
from clipsearch.session.session import Session
from clipsearch.types import ModelOptions
from tests.benchmarks.measuring import note, print_table

FOLDS, PENALTY = 5, 3.0
NAMES = (*TEXT_KINDS, OTHER)


@dataclass(frozen=True, slots=True)
class Sample:
    path: Path
    kind: str
    source: str
    picture: TextPicture
    relevances: NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--as-is", action="store_true")
    parser.add_argument("--list", action="store_true", help="name the pictures that are taken for something else")
    options = parser.parse_args()
    files = [(path, kind) for kind in NAMES for path in sorted((options.folder.resolve() / kind).glob("*.*"))]
    if options.photos is not None:
        rows = map(json.loads, options.photos.read_text().splitlines())
        files += [(options.photos.resolve().parent / row["image"], "photo") for row in rows]
    samples = load(files, options.model)
    if options.as_is:
        told = [kind_of(each.picture, each.relevances) or OTHER for each in samples]
    else:
        told = cross_validate(samples)
    report(samples, told, show=options.list)
    if options.write:
        write(samples)


def load(files: Sequence[tuple[Path, str]], model: str) -> list[Sample]:
    note(f"reading {len(files)} pictures")
    with ProcessPoolExecutor() as pool:
        read = list(pool.map(read_one, [path for path, _ in files], chunksize=4))
    with tempfile.TemporaryDirectory() as place:
        catalog = Catalog.open(place, model=model, create=True)
        with catalog:
            catalog.index(*{str(path.parent) for path, _ in files})
            ids = {hit.path: hit.content_id for hit in catalog.search("w:>0", top_k=10_000)}
            session = Session.open(place, ModelOptions(), create=False, is_shared=False)
            space = label_space_of_model(LABELS, session.model)
            found = []
            for (path, kind), (image, width, height) in zip(files, read, strict=True):
                if image is None or str(path) not in ids:
                    continue
                picture = TextPicture(image.lines, image.look, width, height)
                relevances = space.relevances(catalog.pictures.embedding(ids[str(path)])[np.newaxis])[0]
                source = path.stem.rpartition("_")[0] or path.stem
                found.append(Sample(path, kind, source, picture, relevances))
            session.close()
    return found


def read_one(path: Path) -> tuple[ReadImage | None, int, int]:
    try:
        image = fit(decode_image(path).image).convert("RGB")
    except ImageReadError:
        return None, 0, 0
    return load_reader(bundled_models()).read(image), *image.size


def arrays(samples: Sequence[Sample]) -> tuple[list[str], NDArray[np.float64], NDArray[np.int64]]:
    """Names of the measures, and measures and kinds of the samples that have any."""
    rows = [measures_of(each.picture, each.relevances) for each in samples]
    kinds = [NAMES.index(each.kind) if each.kind in NAMES else len(TEXT_KINDS) for each in samples]
    return list(rows[0]), np.array([list(row.values()) for row in rows]), np.array(kinds)


def fit_model(samples: Sequence[Sample]) -> KindModel:
    """Fit a model on samples in which lines were found."""
    names, values, kinds = arrays(samples)
    means, scales = values.mean(axis=0), values.std(axis=0) + 1e-9
    inputs = torch.tensor(np.clip((values - means) / scales, -FARTHEST, FARTHEST))
    targets = torch.tensor(kinds)
    weights = torch.zeros(len(NAMES), values.shape[1], dtype=torch.float64, requires_grad=True)
    biases = torch.zeros(len(NAMES), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, biases], max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        found = torch.nn.functional.cross_entropy(inputs @ weights.T + biases, targets, reduction="sum")
        found = found + PENALTY / 2 * (weights**2).sum()
        found.backward()
        return found

    optimizer.step(loss)
    return KindModel(tuple(names), means, scales, NAMES, weights.detach().numpy(), biases.detach().numpy())


def tell(model: KindModel, sample: Sample) -> str:
    shares = model.shares(measures_of(sample.picture, sample.relevances))
    best = max(shares, key=shares.__getitem__)
    return best if shares[best] >= LIKELY else OTHER


def cross_validate(samples: Sequence[Sample]) -> list[str]:
    told = [OTHER] * len(samples)
    rows = [row for row, each in enumerate(samples) if each.picture.look is not None]
    sources = sorted({samples[row].source for row in rows})
    rng = np.random.default_rng(0)
    fold_of = dict(zip(sources, rng.permutation(len(sources)) % FOLDS, strict=True))
    for fold in range(FOLDS):
        model = fit_model([samples[row] for row in rows if fold_of[samples[row].source] != fold])
        for row in rows:
            if fold_of[samples[row].source] == fold:
                told[row] = tell(model, samples[row])
    return told


def report(samples: Sequence[Sample], told: Sequence[str], *, show: bool) -> None:
    pairs = [(each.kind, kind) for each, kind in zip(samples, told, strict=True)]
    rows = []
    for kind in (*NAMES, "photo"):
        counts = [pairs.count((kind, other)) for other in NAMES]
        if not sum(counts):
            continue
        right = sum(each == (kind, kind) for each in pairs)
        claimed = sum(other == kind for _, other in pairs)
        is_kind = kind in TEXT_KINDS
        found = f"{right / sum(counts):.2f}" if is_kind else ""
        rows.append((kind, *map(str, counts), found, f"{right / max(1, claimed):.2f}" if is_kind else ""))
    print_table(("pictures", *(f"as {kind}" for kind in NAMES), "recall", "precision"), rows)
    if show:
        for each, kind in zip(samples, told, strict=True):
            if kind not in (each.kind, OTHER) or (kind == OTHER and each.kind in TEXT_KINDS):
                print(f"  {each.kind} {each.path.name}: {kind}")


def write(samples: Sequence[Sample]) -> None:
    model = fit_model([each for each in samples if each.picture.look is not None])
    found = {
        "measures": model.measures,
        "means": model.means.round(4).tolist(),
        "scales": np.maximum(model.scales.round(4), 1e-4).tolist(),
        "weights": dict(zip(NAMES, model.weights.round(4).tolist(), strict=True)),
        "biases": dict(zip(NAMES, model.biases.round(4).tolist(), strict=True)),
    }
    target = Path(data.__file__).parent / "kinds.json"
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    note(f"{target} written")


if __name__ == "__main__":
    main()
