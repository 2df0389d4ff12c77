"""Store captions: texts that are proposed for pictures."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import and_, delete, func, select, update

from clipsearch.store import tables
from clipsearch.store.backends.base import chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.records import utc_now
from clipsearch.vectors import to_bytes


class CaptionStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, texts: Iterable[str]) -> int:
        """Store the texts that are new; return their number."""
        now = utc_now()
        rows = [{"text": text, "added_at": now} for text in dict.fromkeys(texts)]
        if not rows:
            return 0
        table = tables.captions
        with self._database.write() as connection:
            before = connection.execute(select(func.count()).select_from(table)).scalar_one()
            connection.execute(self._database.insert(table).on_conflict_do_nothing(), rows)
            return connection.execute(select(func.count()).select_from(table)).scalar_one() - before

    def without_embedding(self, *, model_id: int) -> list[tuple[int, str]]:
        """Return (caption_id, text) of captions that the model has not embedded yet, by id."""
        caption, embedding = tables.captions, tables.caption_embeddings
        joined = caption.outerjoin(
            embedding,
            and_(embedding.c.caption_id == caption.c.caption_id, embedding.c.model_id == model_id),
        )
        with self._database.read() as connection:
            rows = connection.execute(
                select(caption.c.caption_id, caption.c.text)
                .select_from(joined)
                .where(embedding.c.embedding_id.is_(None))
                .order_by(caption.c.caption_id)
            ).all()
        return [(row[0], row[1]) for row in rows]

    def add_embeddings(self, caption_ids: Sequence[int], embeddings: NDArray[np.float32], *, model_id: int) -> None:
        """Store embeddings of captions; one that is stored already is kept.

        Args:
            embeddings: unit-norm (n, dim), row i for caption_ids[i].
        """
        rows = [
            {"model_id": model_id, "caption_id": caption_id, "embedding": to_bytes(row)}
            for caption_id, row in zip(caption_ids, embeddings, strict=True)
        ]
        if rows:
            with self._database.write() as connection:
                connection.execute(self._database.insert(tables.caption_embeddings).on_conflict_do_nothing(), rows)

    def texts(self, caption_ids: Sequence[int]) -> dict[int, str]:
        """Return texts by caption id; unknown ids are left out."""
        found: dict[int, str] = {}
        with self._database.read() as connection:
            for chunk in chunks(caption_ids):
                rows = connection.execute(
                    select(tables.captions.c.caption_id, tables.captions.c.text).where(
                        tables.captions.c.caption_id.in_(chunk)
                    )
                )
                found.update({row[0]: row[1] for row in rows})
        return found

    def find_ids(self, texts: Sequence[str]) -> dict[str, int]:
        """Return caption ids by text; texts that are not stored are left out."""
        caption = tables.captions
        found: dict[str, int] = {}
        with self._database.read() as connection:
            for chunk in chunks(texts):
                rows = connection.execute(select(caption.c.text, caption.c.caption_id).where(caption.c.text.in_(chunk)))
                found.update({row[0]: row[1] for row in rows})
        return found

    def list_all(self) -> list[str]:
        """List all texts in the order they were added."""
        with self._database.read() as connection:
            return list(
                connection.execute(select(tables.captions.c.text).order_by(tables.captions.c.caption_id)).scalars()
            )

    def remove(self, texts: Sequence[str] | None = None) -> int:
        """Delete captions with their embeddings, all of them for None; return their number."""
        caption, embedding = tables.captions, tables.caption_embeddings
        with self._database.write() as connection:
            chosen = select(caption.c.caption_id)
            if texts is not None:
                chosen = chosen.where(caption.c.text.in_(texts))
            connection.execute(delete(embedding).where(embedding.c.caption_id.in_(chosen)))
            removed = connection.execute(delete(caption).where(caption.c.caption_id.in_(chosen))).rowcount
            if removed:
                # The snapshots hold deleted ids: a new generation makes them stale.
                grown = tables.models.c.caption_generation + 1
                connection.execute(update(tables.models).values(caption_generation=grown))
        return removed

    def count(self) -> int:
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(tables.captions)).scalar_one()
