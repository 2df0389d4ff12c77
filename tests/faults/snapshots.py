"""Every part of an index file is damaged, byte by byte."""

import random
import warnings
from pathlib import Path

import numpy as np

from clipsearch.errors import ClipSearchNotice
from clipsearch.session.file_index import CatalogIndex, refresh_snapshot
from tests.faults.checks import Outcome
from tests.support.library import Library

_PICTURES = 64


def damage_snapshots(scratch: Path, *, flips: int) -> Outcome:
    """Flips a bit in one place after another, and cuts the files there; the index must be made anew each time."""
    rng = random.Random(1)
    outcome = Outcome(f"index files of {_PICTURES} rows, a bit flipped or cut", 0, 0, 0, [])
    with Library(scratch) as library:
        for number in range(_PICTURES):
            library.paint(f"{number}.png", (number * 4, 255 - number, number))
        library.index()
        folder = scratch / "indexes"
        refresh_snapshot("images", store=library.store, model_id=library.model_id, folder=folder)
        truth = _answers(library, folder)
        for name in (".faiss", ".json"):
            (file,) = folder.glob(f"*{name}")
            size = file.stat().st_size
            for place in sorted({round(step * (size - 1) / max(1, flips - 1)) for step in range(flips)}):
                for is_cut in (False, True):
                    _damage(library, folder, name, place, None if is_cut else 1 << rng.randrange(8), truth, outcome)
    return outcome


def _damage(
    library: Library, folder: Path, suffix: str, place: int, mask: int | None, truth: np.ndarray, outcome: Outcome
) -> None:
    """`mask`: bits to flip; None: cut here."""
    (file,) = folder.glob(f"*{suffix}")
    content = bytearray(file.read_bytes())
    if mask is None:
        content = content[:place]
    else:
        content[place] ^= mask
    file.write_bytes(content)
    outcome.faults += 1
    with warnings.catch_warnings(record=True) as notices:
        warnings.simplefilter("always", ClipSearchNotice)
        outcome.wrong += not np.array_equal(_answers(library, folder), truth)
    # White space in the description may change without harm.
    if not notices and suffix == ".faiss":
        outcome.broken.append(f"{suffix} damaged at {place}: nobody noticed")
    with warnings.catch_warnings(record=True) as again:
        warnings.simplefilter("always", ClipSearchNotice)
        outcome.wrong += not np.array_equal(_answers(library, folder), truth)
    if again:
        outcome.broken.append(f"{suffix} damaged at {place}: not mended")


def _answers(library: Library, folder: Path) -> np.ndarray:
    index = CatalogIndex("images", store=library.store, model_id=library.model_id, folder=folder).get()
    queries = library.encoder.encode_texts(["red", "green", "blue and white"])
    scores, ids = index.search(queries, _PICTURES)
    return np.stack([scores, ids.astype(np.float32)])
