"""Embeddings of pictures and captions: the truth from which every index is built."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, Table, func, select
from sqlalchemy.dialects.sqlite import insert

from clipsearch.store import tables
from clipsearch.store.database import Database
from clipsearch.vectors import from_bytes

Kind = Literal["images", "captions"]

_TABLES: dict[Kind, tuple[Table, Column[int]]] = {
    "images": (tables.image_embeddings, tables.image_embeddings.c.content_id),
    "captions": (tables.caption_embeddings, tables.caption_embeddings.c.caption_id),
}


@dataclass(frozen=True, slots=True)
class EmbeddingRows:
    """Some embeddings in the order they were stored.

    Attributes:
        ids: int64 (n,), content ids or caption ids.
        embeddings: float32 (n, dim), unit-norm to the precision of float16.
        last_embedding_id: the highest row number among them.
    """

    ids: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    last_embedding_id: int


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """An index file.

    Attributes:
        blake3: hex, of the whole file.
        row_count: embeddings in it.
        generation: of the embeddings when it was made.
        last_embedding_id: it holds the rows of SQL up to this one.
    """

    blake3: str
    row_count: int
    generation: int
    last_embedding_id: int


class EmbeddingStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def rows_after(
        self, kind: Kind, *, model_id: int, dim: int, embedding_id: int = 0, chunk: int = 20_000
    ) -> Iterator[EmbeddingRows]:
        """Embeddings stored after row `embedding_id`, in chunks that bound the memory."""
        table, owner = _TABLES[kind]
        # "+ 0" keeps SQLite from the index on model_id, which it would go through whole for each chunk, and for the
        # question whether there is anything new at all.
        is_of_model = table.c.model_id + 0 == model_id
        statement = select(table.c.embedding_id, owner, table.c.embedding).where(is_of_model)
        while True:
            with self._database.read() as connection:
                rows = connection.execute(
                    statement.where(table.c.embedding_id > embedding_id).order_by(table.c.embedding_id).limit(chunk)
                ).all()
            if not rows:
                return
            embedding_id = rows[-1][0]
            yield EmbeddingRows(
                ids=np.array([row[1] for row in rows], dtype=np.int64),
                embeddings=from_bytes([row[2] for row in rows], dim),
                last_embedding_id=embedding_id,
            )

    def count(self, kind: Kind, *, model_id: int) -> int:
        table, _ = _TABLES[kind]
        with self._database.read() as connection:
            return connection.execute(
                select(func.count()).select_from(table).where(table.c.model_id == model_id)
            ).scalar_one()

    def find_snapshot(self, kind: Kind, *, model_id: int) -> StoredSnapshot | None:
        """The index file in use; None when there is none, or embeddings in it were deleted since it was made."""
        table, model = tables.snapshots, tables.models
        generation = model.c.image_generation if kind == "images" else model.c.caption_generation
        with self._database.read() as connection:
            row = connection.execute(
                select(table)
                .join(model, model.c.model_id == table.c.model_id)
                .where(table.c.model_id == model_id, table.c.kind == kind, table.c.generation == generation)
            ).first()
        if row is None:
            return None
        return StoredSnapshot(row.blake3, row.row_count, row.generation, row.last_embedding_id)

    def set_snapshot(self, kind: Kind, snapshot: StoredSnapshot, *, model_id: int) -> None:
        values = {
            "blake3": snapshot.blake3,
            "row_count": snapshot.row_count,
            "generation": snapshot.generation,
            "last_embedding_id": snapshot.last_embedding_id,
        }
        statement = insert(tables.snapshots).values(model_id=model_id, kind=kind, **values)
        with self._database.write() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["model_id", "kind"], set_=values))
