"""Store concepts, and the pictures that are and are not examples of them."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, select

from clipsearch.store import tables
from clipsearch.store.backends.base import chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.records import utc_now
from clipsearch.types import Concept


class ConceptStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, words: str | None, examples: Iterable[tuple[int, bool]]) -> None:
        """Add examples to a concept, which is created where there is none; one known before is replaced.

        Args:
            words: stored instead of those before.
            examples: content ids, and whether they are positive; unknown contents are left out.
        """
        concept, example, content = tables.concepts, tables.concept_examples, tables.contents
        insert, chosen = self._database.insert, dict(examples)
        with self._database.write() as connection:
            connection.execute(
                insert(concept)
                .values(name=name, words=words, created_at=utc_now())
                .on_conflict_do_update(index_elements=[concept.c.name], set_={"words": words})
            )
            concept_id = connection.execute(select(concept.c.concept_id).where(concept.c.name == name)).scalar_one()
            for chunk in chunks(list(chosen)):
                known = connection.execute(
                    select(content.c.content_id).where(content.c.content_id.in_(chunk))
                ).scalars()
                rows = insert(example).values(
                    [
                        {"concept_id": concept_id, "content_id": content_id, "is_positive": chosen[content_id]}
                        for content_id in sorted(known, key=chunk.index)
                    ]
                )
                connection.execute(
                    rows.on_conflict_do_update(
                        index_elements=[example.c.concept_id, example.c.content_id],
                        set_={"is_positive": rows.excluded.is_positive},
                    )
                )

    def find(self, name: str) -> Concept | None:
        """Return a concept with its examples; None when there is no such concept."""
        with self._database.read() as connection:
            found = _read(connection, name)
        return found[0] if found else None

    def list_all(self) -> list[Concept]:
        """List all concepts by name."""
        with self._database.read() as connection:
            return _read(connection)

    def names(self) -> list[str]:
        """List the names of all concepts, sorted."""
        with self._database.read() as connection:
            return sorted(connection.execute(select(tables.concepts.c.name)).scalars())

    def remove(self, name: str) -> bool:
        """Delete a concept with its examples; return whether it existed."""
        concept, example = tables.concepts, tables.concept_examples
        is_one = select(concept.c.concept_id).where(concept.c.name == name)
        with self._database.write() as connection:
            connection.execute(delete(example).where(example.c.concept_id.in_(is_one)))
            return connection.execute(delete(concept).where(concept.c.name == name)).rowcount > 0

    def remove_examples(self, name: str, content_ids: Sequence[int]) -> int:
        """Delete some examples of a concept; return their number."""
        concept, example = tables.concepts, tables.concept_examples
        is_one = select(concept.c.concept_id).where(concept.c.name == name)
        with self._database.write() as connection:
            return sum(
                connection.execute(
                    delete(example).where(example.c.concept_id.in_(is_one), example.c.content_id.in_(chunk))
                ).rowcount
                for chunk in chunks(list(content_ids))
            )


def _read(connection: Connection, name: str | None = None) -> list[Concept]:
    concept, example = tables.concepts, tables.concept_examples
    wanted = select(concept).order_by(concept.c.name)
    of_these = select(example.c.concept_id, example.c.content_id, example.c.is_positive)
    if name is not None:
        wanted = wanted.where(concept.c.name == name)
        of_these = of_these.where(example.c.concept_id.in_(select(concept.c.concept_id).where(concept.c.name == name)))
    examples: dict[tuple[int, bool], list[int]] = {}
    for concept_id, content_id, is_positive in connection.execute(of_these.order_by(example.c.example_id)):
        examples.setdefault((concept_id, is_positive), []).append(content_id)
    return [
        Concept(
            row.name,
            row.words,
            row.created_at,
            tuple(examples.get((row.concept_id, True), ())),
            tuple(examples.get((row.concept_id, False), ())),
        )
        for row in connection.execute(wanted)
    ]
