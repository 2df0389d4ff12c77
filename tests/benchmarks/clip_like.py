"""Embeddings like those of CLIP ViT-B/32, in any number, for what only their geometry decides.

The texts are real: 1,203 names of things. Pictures are made, in the narrow cone around the mean of real ones and as far
from it as those. What a picture mainly shows is one of the things, popular or rare, and a second one; it is as near to
pictures of other things as the texts are to each other, and below each thing there is a tree of kinds of it, down to
scenes of some twenty pictures that look alike, as photographs do. Steps in that tree are such that the intrinsic
dimension is about that of the real texts (`python -m tests.benchmarks.clip_like` says both). Source of what is real:
`../shared/golden/clip-vitb32-vectors`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch.vectors import normalise
from tests.benchmarks.measuring import REPOSITORY

Rows = NDArray[np.float32]

GOLDEN = REPOSITORY.parent / "shared" / "golden" / "clip-vitb32-vectors"

_CHUNK = 20_000
_SCENE = 20

# Of the tree below each thing: its levels, the branches of each node, and how much shorter each step is than the one
# before. Points of such a tree have the dimension log(branches) / -log(shorter).
_LEVELS = 4
_BRANCHES = 12
_SHORTER = 0.8

# Lengths of what a picture is made of: its thing's looks, what texts name, its kind, and what is its own in its scene.
_LOOK, _NAMED, _KIND, _OWN = 0.6, 0.35, 0.75, 0.2

# Steps of a level; several nodes may have the same one.
_STEPS = 4096


class ClipLike:
    """Pictures and texts of one space.

    Attributes:
        texts: (1203, 512) unit-norm.
        pictures: (7, 512) unit-norm, real ones.
    """

    def __init__(self, golden: Path = GOLDEN) -> None:
        if not golden.is_dir():
            raise SystemExit(f"this benchmark needs real embeddings in {golden}")
        with np.load(golden / "text_embeddings_lvis.npz") as file:
            self.texts: Rows = normalise(file["emb"].astype(np.float32))
        with np.load(golden / "image_embeddings.npz") as file:
            self.pictures: Rows = normalise(file["emb"].astype(np.float32))
        self._mean = self.pictures.mean(0)
        self._spread = float(np.linalg.norm(self.pictures - self._mean, axis=1).mean())
        things = self.texts - self.texts.mean(0)
        self._things = normalise(things)
        # Looks that no text names: as quickly falling a spectrum as that of the texts, in other directions.
        spectrum = np.linalg.svd(things, compute_uv=False)
        basis = np.linalg.qr(np.random.default_rng(7).standard_normal((self.dim, self.dim)))[0]
        self._turn: Rows = basis.astype(np.float32)
        self._looks: Rows = (spectrum[:, None] / np.linalg.norm(spectrum) * basis).astype(np.float32)
        self._steps = self._look(np.random.default_rng(8), _STEPS)

    @property
    def dim(self) -> int:
        return int(self.texts.shape[1])

    def make_pictures(self, count: int, *, seed: int = 0) -> Iterator[Rows]:
        """So many rows (n, dim) unit-norm, in parts; the same ones each time."""
        for first in range(0, count, _CHUNK):
            yield self._part(np.random.default_rng([seed, first]), min(_CHUNK, count - first))

    def _part(self, rng: np.random.Generator, count: int) -> Rows:
        scenes = -(-count // _SCENE)
        # A few things are in many pictures, most in few.
        thing, other = (len(self._things) * rng.random((2, scenes)) ** 2).astype(np.int64)
        kind, node = np.zeros((scenes, self.dim), dtype=np.float32), thing
        for level in range(_LEVELS):
            node = node * _BRANCHES + (_BRANCHES * rng.random(scenes) ** 1.5).astype(np.int64)
            kind += _SHORTER**level * self._steps[(node * 2_654_435_761 + level) % 4_294_967_291 % _STEPS]
        kind /= np.sqrt(sum(_SHORTER ** (2 * level) for level in range(_LEVELS)))
        named = normalise(self._things[thing] + 0.4 * self._things[other])
        scene = _LOOK * self._things[thing] @ self._turn + _NAMED * named + _KIND * kind
        rows = np.repeat(scene, _SCENE, axis=0)[:count] + _OWN * self._look(rng, count)
        rows *= self._spread / np.linalg.norm(rows, axis=1).mean()
        return normalise(rows + self._mean)

    def _look(self, rng: np.random.Generator, count: int) -> Rows:
        return rng.standard_normal((count, self.dim), dtype=np.float32) @ self._looks


def intrinsic_dimension(rows: Rows) -> float:
    """From how much farther the second nearest neighbour is than the first.

    Source: Facco et al., "Estimating the intrinsic dimension of datasets by a minimal neighborhood information",
    Scientific Reports 7, 2017; the upper tenth is left out, as there.
    """
    distances = np.sqrt(np.maximum(2 - 2 * rows @ rows.T, 1e-12))
    np.fill_diagonal(distances, np.inf)
    nearest = np.sort(distances, axis=1)[:, :2]
    ratios = np.sort(nearest[:, 1] / nearest[:, 0])[: int(0.9 * len(rows))]
    shares = np.arange(1, len(ratios) + 1) / len(rows)
    logs = np.log(ratios)
    return float(-(logs @ np.log(1 - shares)) / (logs @ logs))


def main() -> None:
    made = ClipLike()
    rows = np.concatenate(list(made.make_pictures(_SCENE * len(made.texts))))
    one_of_each = rows[::_SCENE]
    among = (one_of_each @ one_of_each.T)[np.triu_indices(len(one_of_each), 1)]
    real = (made.pictures @ made.pictures.T)[np.triu_indices(len(made.pictures), 1)]
    dimensions = [intrinsic_dimension(each) for each in (made.texts, one_of_each)]
    print(f"intrinsic dimension   texts {dimensions[0]:.1f}, pictures {dimensions[1]:.1f}")
    print(f"cosines of pictures   real {np.median(real):.2f}, made {np.median(among):.2f}")
    for name, pictures in (("real", made.pictures), ("made", one_of_each)):
        scores = pictures @ made.texts.T
        print(f"with texts, {name}      median {np.median(scores):.3f}, best {scores.max(1).mean():.3f}")


if __name__ == "__main__":
    main()
