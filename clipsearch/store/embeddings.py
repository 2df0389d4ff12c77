"""Store embeddings of pictures and captions, from which every index is built."""

from collections.abc import Sequence

from sqlalchemy import Table, and_, delete, func, select, text, update

from clipsearch.store import tables
from clipsearch.store.backends.base import chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.part_rows import COVERS_OF, INCOMPLETE, MISPLACED, ORPHANS
from clipsearch.store.records import Kind, StoredSnapshot

_TABLES: dict[Kind, Table] = {"images": tables.image_embeddings, "captions": tables.caption_embeddings}


class EmbeddingStore:
    def __init__(self, database: Database, *, machine: str = "") -> None:
        """Take the database.

        Args:
            machine: the machine whose index files are meant, when several machines use the catalog.
        """
        self._database = database
        self._machine = machine

    def count(self, kind: Kind, *, model_id: int) -> int:
        table = _TABLES[kind]
        with self._database.read() as connection:
            return connection.execute(
                select(func.count()).select_from(table).where(table.c.model_id == model_id)
            ).scalar_one()

    def set_snapshot(self, kind: Kind, snapshot: StoredSnapshot, *, model_id: int) -> None:
        values = {
            "blake3": snapshot.blake3,
            "row_count": snapshot.row_count,
            "generation": snapshot.generation,
            "last_embedding_id": snapshot.last_embedding_id,
            "ann": snapshot.ann,
        }
        statement = self._database.insert(tables.snapshots)
        statement = statement.values(model_id=model_id, kind=kind, machine=self._machine, **values)
        with self._database.write() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["model_id", "kind", "machine"], set_=values)
            )

    def delete(self, kind: Kind, embedding_ids: Sequence[int]) -> None:
        """Delete damaged embeddings; indexes in files and on servers that hold them become stale.

        Those of parts go with the embeddings of their covers, so that the next run embeds all parts of the picture.
        """
        table, model = _TABLES[kind], tables.models
        grown = model.c.image_generation if kind == "images" else model.c.caption_generation
        with self._database.write() as connection:
            if kind == "images":
                for number in embedding_ids:
                    self._database.execute_sql(
                        connection,
                        f"DELETE FROM image_embeddings WHERE embedding_id IN ({COVERS_OF})",  # noqa: S608
                        number,
                    )
            for chunk in chunks(embedding_ids):
                connection.execute(delete(table).where(table.c.embedding_id.in_(chunk)))
            connection.execute(update(model).values({grown: grown + 1}))

    def repair_parts(self, invalid: Sequence[int]) -> None:
        """Delete invalid parts, and the embeddings of pictures with them, which the next run embeds again.

        Args:
            invalid: ids of contents whose row of `parts` is invalid.
        """
        image, part, model = tables.image_embeddings, tables.parts, tables.models
        with self._database.write() as connection:
            # Invalid ones first: their counts may cover the ids of sound parts.
            conditions = [part.c.content_id.in_(chunk) for chunk in chunks(invalid)]
            for is_wrong in (*conditions, and_(text(MISPLACED))):
                wrong = select(part.c.content_id).where(is_wrong)
                connection.execute(delete(image).where(image.c.part_id.in_(wrong)))
                connection.execute(delete(part).where(is_wrong))
            connection.execute(delete(image).where(text(ORPHANS)))
            connection.execute(delete(image).where(text(f"embedding_id IN ({INCOMPLETE})")))
            connection.execute(update(model).values(image_generation=model.c.image_generation + 1))

    def set_ann(self, ann: str | None) -> None:
        """Store how index files are built: "off", or as FAISS names indexes; None: by their size."""
        with self._database.write() as connection:
            connection.execute(update(tables.catalog).values(ann=ann))

    def set_index_url(self, url: str | None) -> None:
        """Store the URL of the server that holds the catalog's index; None for files."""
        with self._database.write() as connection:
            connection.execute(update(tables.catalog).values(index_url=url))
