"""Makes what is measured: python -m tests.benchmarks.material KIND FOLDER [COUNT]

The same seed gives the same material. Photographs, the model and the tree are kept when they are there already.
"""

import argparse
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import Encoder
from clipsearch.encoders.load import load_encoder
from clipsearch.paths import index_folder
from clipsearch.session.index_files import write_snapshot
from clipsearch.settings import STARTER
from clipsearch.store import Store, StoredModel
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.types import ModelOptions
from clipsearch.vectors import normalise
from tests.benchmarks.photos import large, small

RANDOM_CLIP = "random-clip"
"""The model that is made; every other name is one that clipsearch knows."""

MODEL_HELP = f"{RANDOM_CLIP}: CLIP ViT-B/32 with random weights; {STARTER}; a directory or a hub id that is cached"

_ROWS_AT_ONCE = 20_000
_CAMERAS = ("", "Canon EOS R6", "NIKON Z 6", "Apple iPhone 15", "Google Pixel 8")


def model_name(folder: Path, model: str) -> str:
    """What clipsearch knows a model by; the random CLIP is made in the folder."""
    if model != RANDOM_CLIP:
        return model
    from tests.benchmarks.random_clip import make_random_clip

    make_random_clip(folder / RANDOM_CLIP)
    return str(folder / RANDOM_CLIP)


def tree(folder: Path, count: int, *, files_a_folder: int = 200) -> None:
    """Small files with the name of a JPEG, some hundred in a folder; they are listed and never read."""
    for first in range(0, count, files_a_folder):
        place = folder / f"{first // files_a_folder:05d}"
        numbers = range(first, min(first + files_a_folder, count))
        if place.is_dir() and len(os.listdir(place)) == len(numbers):
            continue
        place.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            (place / f"{number:07d}.jpg").write_bytes(b"%d" % number)


def catalog(
    directory: Path,
    pictures: Path,
    *,
    encoder: Encoder,
    seed: int = 0,
    around: NDArray[np.float32] | None = None,
) -> None:
    """A catalog in which all files of a tree are indexed, each with random numbers for an embedding.

    With `around` (n, dim) they lie around these rows, at a cosine of about 0.86, as pictures of the same things do.

    It goes past the store's own methods, which take ten times as long, and leaves the snapshot to `write_snapshot`.
    """
    shutil.rmtree(directory, ignore_errors=True)
    place = os.path.realpath(pictures)
    with Store(directory, create=True) as store:
        scope = store.roots.add(place)
        row = store.models.add(name=encoder.name, fingerprint=encoder.fingerprint, dim=encoder.dim)
        store.models.set_current(row.model_id)
    rng = np.random.default_rng(seed)
    with closing(sqlite3.connect(directory / DATABASE_NAME, isolation_level=None)) as connection:
        # A power cut may ruin it: it is made again.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -500000")
        first_id = 1
        for files in _parts(_files_below(place)):
            connection.execute("BEGIN")
            _insert(connection, files, first_id, model=row, root_id=scope.root_id, rng=rng, around=around)
            connection.execute("COMMIT")
            first_id += len(files)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _insert(
    connection: sqlite3.Connection,
    files: list[tuple[bytes, int, int]],
    first_id: int,
    *,
    model: StoredModel,
    root_id: int,
    rng: np.random.Generator,
    around: NDArray[np.float32] | None,
) -> None:
    """Files (relative path, size, mtime in ns), their contents and the embeddings of those."""
    ids = range(first_id, first_id + len(files))
    taken_at = [str(datetime(2000, 1, 1) + timedelta(hours=content_id % 220_000)) + ".000000" for content_id in ids]
    connection.executemany(
        "INSERT INTO contents (content_id, blake3, size_bytes, width, height, format, taken_at, camera, added_at) "
        "VALUES (?, ?, ?, 640, 480, 'JPEG', ?, ?, '2026-01-01 00:00:00.000000')",
        (
            (content_id, rng.bytes(32), size_bytes, when, _CAMERAS[content_id % len(_CAMERAS)] or None)
            for content_id, when, (_, size_bytes, _) in zip(ids, taken_at, files, strict=True)
        ),
    )
    connection.executemany(
        "INSERT INTO files (root_id, relative_path, size_bytes, mtime_ns, content_id) VALUES (?, ?, ?, ?, ?)",
        ((root_id, *file, content_id) for content_id, file in zip(ids, files, strict=True)),
    )
    noise = normalise(rng.standard_normal((len(files), model.dim), dtype=np.float32))
    rows = (noise if around is None else normalise(around[np.array(ids) % len(around)] + 0.6 * noise)).astype("<f2")
    connection.executemany(
        "INSERT INTO image_embeddings (model_id, part_id, embedding) VALUES (?, ?, ?)",
        ((model.model_id, content_id, row.tobytes()) for content_id, row in zip(ids, rows, strict=True)),
    )


def _files_below(place: str) -> Iterator[tuple[bytes, int, int]]:
    for folder in sorted(os.listdir(place)):
        with os.scandir(os.path.join(place, folder)) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                status = entry.stat()
                yield os.fsencode(f"{folder}/{entry.name}"), status.st_size, status.st_mtime_ns


def _parts(files: Iterator[tuple[bytes, int, int]]) -> Iterator[list[tuple[bytes, int, int]]]:
    while part := list(islice(files, _ROWS_AT_ONCE)):
        yield part


def write_image_snapshot(directory: Path) -> None:
    """The index file of a catalog, made from SQL."""
    with Store(directory) as store:
        current = store.reader.find_current_model()
        assert current is not None
        write_snapshot("images", store=store, model_id=current.model_id, folder=index_folder(directory))


def main() -> None:
    kinds = {
        "small": "photographs of 640 × 480",
        "large": "photographs of 12 megapixels",
        "model": "CLIP ViT-B/32 with random weights",
        "tree": "small files with names of pictures",
        "catalog": "FOLDER/pictures, a tree, and FOLDER/catalog in which it is indexed",
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=kinds, help="; ".join(f"{kind}: {what}" for kind, what in kinds.items()))
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=1_000)
    parser.add_argument("--model", default=STARTER, help=f"of a catalog: {MODEL_HELP}")
    chosen = parser.parse_args()
    folder: Path = chosen.folder.resolve()
    match chosen.kind:
        case "small":
            small(folder, chosen.count)
        case "large":
            large(folder, chosen.count)
        case "model":
            from tests.benchmarks.random_clip import make_random_clip

            make_random_clip(folder)
        case "tree":
            tree(folder, chosen.count)
        case "catalog":
            tree(folder / "pictures", chosen.count)
            encoder = load_encoder(ModelOptions(model_name(folder, chosen.model), show_progress=True))
            catalog(folder / "catalog", folder / "pictures", encoder=encoder)
            write_image_snapshot(folder / "catalog")


if __name__ == "__main__":
    main()
