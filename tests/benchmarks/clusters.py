"""What groups of pictures are called: python -m tests.benchmarks.clusters [CAPTIONS.jsonl ...] [--among lvis]

Pictures with one name each, in as many groups as are asked for (`--groups 20 50 100`), are named by these names, or by
these among the labels of a set. A picture counts when its own name is the first of its group, or one of the three. As
`clusters` does it, and by how far the mean score of a group lies above that of all pictures.
"""

import argparse
from pathlib import Path

import numpy as np

from clipsearch.data import BUILT_IN, built_in_labels
from clipsearch.encoders.bank import load_bank
from clipsearch.encoders.load import load_encoder
from clipsearch.encoders.prompts import encode_labels
from clipsearch.gallery.clusters import name_clusters
from clipsearch.indexes.flat import cluster_rows
from clipsearch.paths import sample_data_folder
from clipsearch.scoring.labels import learn_labels
from clipsearch.vectors import normalise
from tests.benchmarks.labels import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", nargs="*", type=Path, default=[sample_data_folder() / "captions.jsonl"])
    parser.add_argument("--model", default="starter")
    parser.add_argument("--among", choices=BUILT_IN)
    parser.add_argument("--groups", type=int, nargs="+", default=[20, 50, 100])
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    bank = load_bank(fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=lambda: encoder)
    others = built_in_labels(options.among) if options.among else []
    for path in options.captions:
        data = load(path, encoder)
        labels = data.captions + [label for label in others if label not in set(data.captions)]
        space = learn_labels(labels, encode_labels(labels, encoder), bank=bank, pictures=data.pictures)
        own = [data.captions[row] for row in data.is_right.argmax(axis=0)]
        # As `cluster_pictures`.
        apart = normalise(data.pictures - 0.999 * data.pictures.mean(axis=0))
        print(f"\n{data.name}: {len(own):,} pictures, {len(labels):,} labels; own name is one of three, is the first")
        for count in options.groups:
            centroids, groups = cluster_rows(apart, count)
            typical = np.einsum("nd,nd->n", apart, centroids[groups])
            clusters = [np.flatnonzero(groups == group) for group in range(count)]
            clusters = [members[np.argsort(-typical[members])] for members in clusters if len(members)]
            means = space.scores(np.stack([data.pictures[members].mean(axis=0) for members in clusters]))
            above = means - space.scores(data.pictures.mean(axis=0, keepdims=True))
            ways = {
                "relevance": name_clusters(space, data.pictures, clusters),
                "mean score": [tuple(labels[column] for column in np.argsort(-row)[:3]) for row in above],
            }
            for way, names in ways.items():
                named = [(own[row], known) for members, known in zip(clusters, names, strict=True) for row in members]
                among = np.mean([name in known for name, known in named])
                first = np.mean([name == known[0] for name, known in named])
                print(f"{count:4} groups by {way:10}  {among:.3f}  {first:.3f}")


if __name__ == "__main__":
    main()
