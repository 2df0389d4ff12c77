"""Store the parts of contents, see `part_rows`."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, delete, update

from clipsearch.parts import pack_parts
from clipsearch.store import tables
from clipsearch.store.backends.base import chunks
from clipsearch.store.backends.database import Database
from clipsearch.store.part_rows import statement_for
from clipsearch.store.records import ContentRecord
from clipsearch.vectors import to_bytes

# Without a row of its own, a sequence starts again after the highest id that is there; parts have ids beyond it.
_TAKE_SQLITE = (
    "UPDATE sqlite_sequence SET seq = max(seq, (SELECT coalesce(max(first_part_id + part_count), 1) - 1 FROM parts)) "
    "WHERE name = 'contents'",
    "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'contents'",
    "SELECT seq FROM sqlite_sequence WHERE name = 'contents'",
)
_TAKE_SERVER = (
    "SELECT setval(pg_get_serial_sequence('contents', 'content_id'), "
    "nextval(pg_get_serial_sequence('contents', 'content_id')) + CAST(? AS bigint) - 1)"
)


def insert_parts(
    database: Database,
    connection: Connection,
    contents: Sequence[ContentRecord],
    ids: dict[bytes, int],
    *,
    model_id: int,
) -> list[tuple[int, int, bytes]]:
    """Insert the parts of contents that have several, after the contents.

    Parts of a content that are known, and the same, keep their ids. Others replace them, with the embeddings that any
    model has of them.

    Args:
        ids: content ids by blake3.

    Returns:
        (model id, part id, embedding) of the parts besides the covers.
    """
    several = {ids[content.blake3]: content for content in contents if content.parts}
    if not several:
        return []
    rows = [row for chunk in chunks(list(several)) for row in database.fetch(connection, statement_for(chunk), *chunk)]
    known = {content_id: (first, count, described) for content_id, first, count, described in rows}
    embeddings: list[tuple[int, int, bytes]] = []
    for content_id, content in several.items():
        described = pack_parts(content.parts)
        count = len(content.parts) - 1
        former = known.get(content_id)
        if former is not None and former[2] == described:
            first = former[0]
        else:
            if former is not None:
                _delete(connection, content_id, former[0], former[1])
            first = _take_ids(database, connection, max(1, count))
            connection.execute(
                tables.parts.insert().values(
                    content_id=content_id, first_part_id=first, part_count=count, described=described
                )
            )
        if count:
            blob = to_bytes(np.asarray(content.part_embeddings))
            size = len(blob) // count
            embeddings += [(model_id, first + row, blob[row * size : (row + 1) * size]) for row in range(count)]
    return embeddings


def _delete(connection: Connection, content_id: int, first: int, count: int) -> None:
    """Delete the parts of a content besides its cover, with their embeddings."""
    embedding, model, part = tables.image_embeddings, tables.models, tables.parts
    is_one = embedding.c.part_id.between(first, first + count - 1)
    if connection.execute(delete(embedding).where(is_one)).rowcount:
        # Index files hold the deleted ids: a new generation makes them stale.
        connection.execute(update(model).values(image_generation=model.c.image_generation + 1))
    connection.execute(delete(part).where(part.c.content_id == content_id))


def _take_ids(database: Database, connection: Connection, count: int) -> int:
    """Take consecutive ids from the sequence of contents, and return the first."""
    if database.is_server:
        [(last,)] = database.fetch(connection, _TAKE_SERVER, count)
    else:
        catch_up, take, read = _TAKE_SQLITE
        database.execute_sql(connection, catch_up)
        database.execute_sql(connection, take, count)
        [(last,)] = database.fetch(connection, read)
    return int(last) - count + 1
