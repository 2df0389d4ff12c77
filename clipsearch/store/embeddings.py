"""Embeddings of pictures and captions: the truth from which every index is built."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, Table, func, select

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


class EmbeddingStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def rows_after(
        self, kind: Kind, *, model_id: int, dim: int, embedding_id: int = 0, chunk: int = 20_000
    ) -> Iterator[EmbeddingRows]:
        """Embeddings stored after row `embedding_id`, in chunks that bound the memory."""
        table, owner = _TABLES[kind]
        statement = select(table.c.embedding_id, owner, table.c.embedding).where(table.c.model_id == model_id)
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

    def get(self, kind: Kind, ids: Sequence[int], *, model_id: int, dim: int) -> dict[int, NDArray[np.float32]]:
        """Embeddings (dim,) by id; ids without one are left out."""
        table, owner = _TABLES[kind]
        with self._database.read() as connection:
            rows = connection.execute(
                select(owner, table.c.embedding).where(table.c.model_id == model_id, owner.in_(ids))
            ).all()
        return {row[0]: from_bytes([row[1]], dim)[0] for row in rows}
