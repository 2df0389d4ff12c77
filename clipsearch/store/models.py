"""Store which models have embeddings in the catalog, and which one is in use."""

from collections.abc import Sequence

from sqlalchemy import Row, func, insert, select, update

from clipsearch.store import tables
from clipsearch.store.backends.database import Database
from clipsearch.store.records import StoredModel, utc_now
from clipsearch.types import ModelInfo


class ModelStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, fingerprint: str) -> StoredModel | None:
        with self._database.read() as connection:
            row = connection.execute(select(tables.models).where(tables.models.c.fingerprint == fingerprint)).first()
        return None if row is None else _stored(row)

    def add(self, *, name: str, fingerprint: str, dim: int) -> StoredModel:
        """Register a model; a known one keeps its row and takes the new name, as of a folder that moved."""
        model = tables.models
        with self._database.write() as connection:
            known = connection.execute(select(model.c.model_id).where(model.c.fingerprint == fingerprint)).scalar()
            if known is None:
                connection.execute(
                    insert(model).values(
                        name=name,
                        fingerprint=fingerprint,
                        dim=dim,
                        image_generation=0,
                        caption_generation=0,
                        added_at=utc_now(),
                    )
                )
            else:
                connection.execute(update(model).where(model.c.model_id == known).values(name=name))
            row = connection.execute(select(model).where(model.c.fingerprint == fingerprint)).one()
        return _stored(row)

    def set_current(self, model_id: int) -> None:
        with self._database.write() as connection:
            connection.execute(update(tables.catalog).values(model_id=model_id))

    def list_all(self) -> tuple[ModelInfo, ...]:
        """List all models with their numbers of embeddings, the oldest first."""
        images, captions = tables.image_embeddings, tables.caption_embeddings
        with self._database.read() as connection:
            current = connection.execute(select(tables.catalog.c.model_id)).scalar()
            rows: Sequence[Row[tuple[object, ...]]] = connection.execute(
                select(tables.models).order_by(tables.models.c.model_id)
            ).all()
            counts = {
                (table.name, model_id): count
                for table in (images, captions)
                for model_id, count in connection.execute(
                    select(table.c.model_id, func.count()).group_by(table.c.model_id)
                )
            }
            # Pictures are counted, not their parts: most have one.
            part = tables.parts
            others = (
                select(images.c.model_id, func.sum(part.c.part_count))
                .select_from(part)
                .join(images, images.c.part_id == part.c.first_part_id)
            )
            for model_id, count in connection.execute(others.group_by(images.c.model_id)):
                counts[images.name, model_id] -= int(count)
        return tuple(
            ModelInfo(
                model_id=stored.model_id,
                name=stored.name,
                fingerprint=stored.fingerprint,
                dim=stored.dim,
                images=counts.get((images.name, stored.model_id), 0),
                captions=counts.get((captions.name, stored.model_id), 0),
                is_current=stored.model_id == current,
            )
            for stored in map(_stored, rows)
        )


def _stored(row: Row[tuple[object, ...]]) -> StoredModel:
    values = row._mapping
    return StoredModel(
        model_id=values["model_id"],
        name=values["name"] or "?",
        fingerprint=values["fingerprint"],
        dim=values["dim"],
        image_generation=values["image_generation"],
        caption_generation=values["caption_generation"],
    )
