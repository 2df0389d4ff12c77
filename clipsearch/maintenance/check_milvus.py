"""Check the collection on a Milvus server against SQL."""

from dataclasses import dataclass, field

import numpy as np

from clipsearch.errors import IndexMismatchError, InputError, VectorIndexError
from clipsearch.indexes.milvus.collection import MilvusCollection
from clipsearch.quantities import count
from clipsearch.session.server_index import connect, partition_of
from clipsearch.store import KINDS, Kind, StoredModel
from clipsearch.store.reader import Reader
from clipsearch.store.recovery.integrity import Inspection, choose

_NOUNS: dict[Kind, str] = {"images": "picture", "captions": "caption"}


@dataclass(slots=True)
class ServerCheck:
    """Result of the check.

    Attributes:
        problem: why nothing could be checked, one line.
        faults: a line for each difference from SQL.
        rows: in the partitions in use.
        compared: of these.
    """

    problem: str | None = None
    faults: list[str] = field(default_factory=list)
    rows: int = 0
    compared: int = 0


def check_server(reader: Reader, inspection: Inspection, *, sample: int | None) -> ServerCheck | None:
    """Check the server's index; None when the index is in files.

    Args:
        sample: number of embeddings of each kind that are compared, chosen at random, while rows are only counted;
            None: all ids and all embeddings are compared.
    """
    url = reader.find_index_url()
    if url is None:
        return None
    found, uuid = ServerCheck(), reader.find_uuid() or ""
    current = reader.find_current_model()
    for model in reader.list_models():
        try:
            collection = connect(url, dim=model.dim, catalog=uuid)
            try:
                if collection.find():
                    for kind in KINDS:
                        _check_partition(collection, found, kind, model, reader, inspection, sample)
                elif current == model and len(reader.ids("images", model_id=model.model_id)):
                    found.faults.append(f"the collection {collection.name} is missing")
            finally:
                collection.close()
        except IndexMismatchError as error:
            found.problem = str(error)
        except (VectorIndexError, InputError) as error:
            found.problem = str(error)
            break
    return found


def _check_partition(
    collection: MilvusCollection,
    found: ServerCheck,
    kind: Kind,
    model: StoredModel,
    reader: Reader,
    inspection: Inspection,
    sample: int | None,
) -> None:
    partition = partition_of(kind, model)
    progress = collection.find_progress(partition)
    # Nothing was sent of this generation yet: the next query does it.
    if progress is None:
        return
    last = int(progress["last_embedding_id"])
    numbers, owners = inspection.embedding_ids(kind, model_id=model.model_id, up_to=last)
    suffix, noun = f" of {model.name}", f"the collection {collection.name}"
    if last > reader.newest_embedding_id(kind):
        found.faults.append(f"{noun} has {_NOUNS[kind]}s{suffix} that the database does not know")
        return
    stored = collection.count(partition)
    found.rows += stored
    if sample is None:
        server_ids = collection.ids(partition)
        missing, extra = len(np.setdiff1d(owners, server_ids)), len(np.setdiff1d(server_ids, owners))
        if missing:
            found.faults.append(f"{noun} lacks {missing:,} of {count(len(owners), _NOUNS[kind])}{suffix}")
        if extra or stored != len(server_ids):
            found.faults.append(
                f"{noun} has {count(max(extra, stored - len(server_ids)), _NOUNS[kind])}{suffix} too many"
            )
    elif stored != len(owners):
        found.faults.append(f"{noun} has {count(stored, _NOUNS[kind])}{suffix}, not {len(owners):,}")
    differing = 0
    chosen = choose(numbers, sample)
    for part, embeddings in inspection.embeddings(kind, chosen, dim=model.dim):
        ids = owners[np.searchsorted(numbers, part)]
        for server_ids, rows in collection.rows(partition, ids):
            found.compared += len(server_ids)
            order = np.argsort(ids)
            expected = embeddings[order[np.searchsorted(ids, server_ids, sorter=order)]]
            differing += int(np.count_nonzero((rows != expected).any(axis=1)))
    if differing:
        found.faults.append(
            f"{noun} differs from the database in {count(differing, 'embedding')} of {_NOUNS[kind]}s{suffix}"
        )
