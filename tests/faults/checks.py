"""What must hold for a catalog at any moment, whatever happened to the processes that wrote it."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from clipsearch import Catalog
from clipsearch.errors import CatalogNotFoundError
from clipsearch.indexes.flat import sort_by_score
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.vectors import from_bytes


@dataclass(slots=True)
class Outcome:
    """
    Attributes:
        faults: how many were done.
        lost: pictures that had been stored and were not there afterwards.
        wrong: answers that were not those of a plain scan of the database.
        broken: catalogs that could not be opened or went on wrongly, in a few words each.
    """

    what: str
    faults: int
    lost: int
    wrong: int
    broken: list[str]

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.wrong or self.broken)


def squares(folder: Path, count: int) -> Path:
    """`count` different pictures; those that are there already are left."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"{number:05}.png"
        if not path.exists():
            colour = (number % 256, number // 256 * 40, 255 - number % 256)
            Image.new("RGB", (64, 48), colour).save(path)
    return folder


def stored_contents(catalog: Path) -> set[bytes]:
    """blake3 of the pictures that are stored with an embedding, as another process sees it now."""
    database = catalog / DATABASE_NAME
    if not database.exists():
        return set()
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        try:
            rows = connection.execute(
                "SELECT DISTINCT blake3 FROM contents JOIN image_embeddings ON part_id = content_id "
                "JOIN files USING (content_id)"
            ).fetchall()
        except sqlite3.OperationalError:  # the tables are not made yet
            return set()
    return {row[0] for row in rows}


def check(catalog: Path, outcome: Outcome, *, before: set[bytes] = frozenset(), expected: int | None = None) -> None:
    """Holds a catalog against what was stored in it `before` the fault, and its answers against a plain scan.

    Args:
        expected: pictures that must be stored now.
    """
    now = stored_contents(catalog)
    outcome.lost += len(before - now)
    if expected is not None and len(now) != expected:
        outcome.broken.append(f"{len(now)} of {expected} pictures are stored")
    database = catalog / DATABASE_NAME
    if not database.exists():
        return
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        found += [f"foreign key of {row[0]}" for row in connection.execute("PRAGMA foreign_key_check")]
        if found != ["ok"]:
            outcome.broken.append(str(found[:3]))
    try:
        with Catalog.open(catalog) as opened:
            if now:
                outcome.wrong += _wrong_answers(opened, database)
    except CatalogNotFoundError:  # nothing was stored yet
        if now:
            outcome.broken.append("pictures are stored, and it says that nothing is indexed")


def _wrong_answers(opened: Catalog, database: Path) -> int:
    """Queries whose hits are not those of a scan of all that is stored."""
    model = opened.model
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        rows = connection.execute(
            "SELECT part_id, embedding FROM image_embeddings WHERE model_id = ? ORDER BY part_id",
            (model.model_id,),
        ).fetchall()
        shown = {
            row[0]
            for row in connection.execute(
                "SELECT content_id FROM files WHERE content_id IS NOT NULL AND removed_at IS NULL"
            )
        }
    ids = np.array([row[0] for row in rows])
    embeddings = from_bytes([row[1] for row in rows], model.dim)
    is_shown = np.isin(ids, list(shown))
    ids, embeddings = ids[is_shown], embeddings[is_shown]
    wrong = 0
    for text in ("a blue square", "something red"):
        scores = opened.encoder.encode_texts([text]) @ embeddings.T
        best, best_ids = sort_by_score(scores, ids[np.newaxis], 10)
        hits = opened.search(text, top_k=10)
        found = np.array([hit.score for hit in hits])
        is_same = len(found) == best.shape[1] and np.allclose(found, best[0], atol=1e-4)
        # Equal scores are sorted by path here and by id there: as sets, those clearly above the last must agree.
        clear = {int(number) for number, score in zip(best_ids[0], best[0], strict=True) if score > best[0, -1] + 1e-4}
        wrong += not (is_same and clear <= {hit.content_id for hit in hits})
    return wrong
