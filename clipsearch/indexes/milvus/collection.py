"""Access a collection on a Milvus server. The only file that imports pymilvus.

A collection contains the embeddings of one catalog with the same number of dimensions, in a partition for each model,
kind (pictures, captions) and generation. The default partition has metadata rows: the progress of each partition, and
the uuid of the catalog.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import IndexMismatchError, MissingExtraError, VectorIndexError, first_line
from clipsearch.indexes.milvus.address import MilvusAddress
from clipsearch.indexes.milvus.trusted_servers import TOKEN_VARIABLE

MAX_LIMIT = 16_384
"""Upper limit of hits of a search and rows of a query. Source: Milvus's limits, milvus.io/docs/limitations.md."""

# Largest collection with an exact index by default: a scan takes some ten milliseconds, and needs no tuning. Beyond,
# HNSW is the fastest in memory.
_MAX_FLAT_ROWS = 200_000

# Higher than Milvus's defaults, as the index is built once.
# Source: Malkov and Yashunin, arXiv:1603.09320, section 4.1: M of 5 to 48, more for more dimensions.
_BUILD = {"HNSW": {"M": 32, "efConstruction": 200}, "IVF_FLAT": {"nlist": 1_024}}
_SEARCH = {"HNSW": {"ef": 200}, "IVF_FLAT": {"nprobe": 32}, "DISKANN": {"search_list": 200}}
# Parameters that must be at least the number of hits requested.
_AT_LEAST_HITS = ("ef", "search_list")

# A message of a Milvus server has 64 MB at most; small batches limit what is sent again after a broken connection.
_BATCH_BYTES = 8_000_000
_PART = 4_096

_CONNECT_S = 10.0
# Timeout of pymilvus's own retries, which otherwise go on for minutes.
_CALL_S = 60.0
_LOAD_S = 600.0

_OWNER = "catalog"
_REMEDY = "start it, or use local files: 'clipsearch index --index files', then 'clipsearch reindex'"


def _load_pymilvus() -> Any:
    """Import pymilvus.

    Raises:
        MissingExtraError: it is not installed.
    """
    # Importing pymilvus would load a .env file of the current folder or one above it into the environment.
    before = os.environ.get("PYTHON_DOTENV_DISABLED")
    os.environ["PYTHON_DOTENV_DISABLED"] = "1"
    try:
        import pymilvus
    except ImportError as error:
        raise MissingExtraError("an index on a Milvus server", "pymilvus", "clipsearch[milvus]") from error
    finally:
        if before is None:
            del os.environ["PYTHON_DOTENV_DISABLED"]
        else:
            os.environ["PYTHON_DOTENV_DISABLED"] = before
    # pymilvus also logs tracebacks of the errors it raises.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    return pymilvus


class MilvusCollection:
    """Collection of rows (id, embedding) in partitions. Thread-safe."""

    def __init__(self, address: MilvusAddress, *, dim: int, catalog: str) -> None:
        """Connect to the server.

        Args:
            address: of the server and collection.
            dim: dimensions of a row.
            catalog: uuid of the catalog that owns the collection.

        Raises:
            MissingExtraError: pymilvus is not installed.
            VectorIndexError: the server can't be reached.
        """
        self._milvus = _load_pymilvus()
        self._address = address
        self._catalog = catalog
        self.dim = dim
        self.name = f"{address.collection}_{dim}"
        self.index_type = ""
        scheme = "https" if address.is_secure else "http"
        self._client: Any = self._guarded(
            lambda: self._milvus.MilvusClient(
                uri=f"{scheme}://{address.server}",
                token=os.environ.get(TOKEN_VARIABLE, ""),
                db_name=address.database,
                timeout=_CONNECT_S,
                dedicated=True,
                # Connect directly, ignoring proxies in the environment.
                grpc_options={"grpc.enable_http_proxy": 0},
            ),
            f"can't reach Milvus at {address.server}; {_REMEDY}",
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    # ------------------------------------------------------------------ the collection

    def find(self) -> bool:
        """Load the collection and return whether it exists and is ready.

        Raises:
            IndexMismatchError: a collection of that name belongs to something else.
        """
        if not self._call("has_collection"):
            return False
        described = self._call("describe_collection")
        dims = [each["params"].get("dim") for each in described["fields"] if each["name"] == "embedding"]
        if [int(dim) for dim in dims if dim is not None] != [self.dim]:
            raise IndexMismatchError(f"the collection {self.name} at {self._address.server} was not made by clipsearch")
        if "embedding" not in self._call("list_indexes"):  # its creation was interrupted
            return False
        self._call("load_collection", timeout=_LOAD_S)
        owner = self._find_note(_OWNER)
        # Without an owner and partitions, its creation was interrupted before a row was written.
        if owner is not None and owner["catalog"] != self._catalog:
            raise IndexMismatchError(
                f"the collection {self.name} at {self._address.server} belongs to another catalog: name another one, "
                f"as in milvus://{self._address.server}/NAME"
            )
        if owner is None and self.partitions():
            raise IndexMismatchError(
                f"the catalog that the collection {self.name} belongs to is unknown: name another collection"
            )
        if owner is None:
            self._write_note(_OWNER, catalog=self._catalog)
        self.index_type = str(self._call("describe_index", index_name="embedding")["index_type"])
        return True

    def make(self, *, expected_rows: int) -> None:
        """Find or create the collection, with an index for about `expected_rows` rows; errors as in `find`."""
        if self.find():
            return
        if not self._call("has_collection"):
            self._create()
        index_type = self._address.index_type or ("FLAT" if expected_rows <= _MAX_FLAT_ROWS else "HNSW")
        build = _BUILD.get(index_type, {}) | self._address.build_params
        indexes = self._client.prepare_index_params()
        indexes.add_index("id", index_name="id", index_type="INVERTED")
        # The metric is explicit: Milvus's default is another one.
        indexes.add_index("embedding", index_name="embedding", index_type=index_type, metric_type="IP", params=build)
        # The collection is empty, so there is no index build to wait for.
        self._call("create_index", index_params=indexes, sync=False)
        if not self.find():
            raise VectorIndexError(
                f"the collection {self.name} at {self._address.server} was deleted while it was created: try again"
            )

    def _create(self) -> None:
        kinds = self._milvus.DataType
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=True)
        # The key includes the partition, as ids are unique in a partition only: Milvus does not document whether upsert
        # and delete by key cross partitions, and milvus-lite deletes in all of them.
        schema.add_field("key", kinds.VARCHAR, is_primary=True, max_length=128)
        schema.add_field("id", kinds.INT64)
        schema.add_field("embedding", kinds.FLOAT_VECTOR, dim=self.dim)
        # One shard: rows become visible in the order they were written.
        self._call("create_collection", schema=schema, num_shards=1, consistency_level="Strong")

    def drop(self) -> None:
        """Delete the collection if it exists; errors as in `find`."""
        if self.find():
            self._call("drop_collection", timeout=_LOAD_S)

    # ------------------------------------------------------------------ partitions

    def partitions(self) -> list[str]:
        """Return the names of the partitions, without the default one."""
        return [str(name) for name in self._call("list_partitions") if name != "_default"]

    def make_partition(self, partition: str) -> None:
        """Create a partition if it does not exist."""
        if partition not in self.partitions():
            try:
                self._call("create_partition", partition_name=partition)
            except VectorIndexError:  # another process may have created it concurrently
                if partition not in self.partitions():
                    raise

    def drop_partition(self, partition: str) -> None:
        """Delete a partition and its progress."""
        self._call("delete", ids=[_note_key(partition)])
        # A cluster drops only partitions that are not loaded; milvus-lite does not load by partition.
        try:
            self._client.release_partitions(self.name, [partition], timeout=_CALL_S)
        except Exception as error:
            if not self._is_foreign(error):
                raise
        self._call("drop_partition", partition_name=partition)

    def find_progress(self, partition: str) -> dict[str, Any] | None:
        """Find the values last written with `write_progress`; None when there are none."""
        return self._find_note(partition)

    def write_progress(self, partition: str, **values: str | int) -> None:
        """Store the progress of filling a partition."""
        self._write_note(partition, catalog=self._catalog, **values)

    # ------------------------------------------------------------------ rows

    def upsert(self, partition: str, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        """Add rows, replacing those with the same ids (idempotent)."""
        step = max(1, _BATCH_BYTES // (4 * self.dim + 128))
        for start in range(0, len(ids), step):
            part = ids[start : start + step].tolist()
            rows = [
                {"key": f"{partition}/{each}", "id": each, "embedding": row}
                for each, row in zip(part, embeddings[start : start + step], strict=True)
            ]
            self._call("upsert", data=rows, partition_name=partition)

    def seal(self) -> None:
        """Flush rows to sealed segments, which get an index; call it after many rows were sent.

        The server does so by itself, but later: searching 50,000 growing rows in milvus-lite takes seconds, sealed ones
        a tenth of a second.
        """
        self._call("flush", timeout=_LOAD_S)
        self._call("load_collection", timeout=_LOAD_S)

    def delete(self, partition: str, ids: NDArray[np.int64]) -> None:
        """Delete rows by id."""
        for part in _parts(ids, _PART):
            self._call("delete", ids=[f"{partition}/{each}" for each in part.tolist()], partition_name=partition)

    def count(self, partition: str) -> int:
        """Return the number of rows of a partition."""
        # With a filter that all rows pass: without one, milvus-lite counts all partitions.
        (row,) = self._query('key != ""', ["count(*)"], partition)
        return int(row["count(*)"])

    def ids(self, partition: str) -> NDArray[np.int64]:
        """Return all ids (n,) of a partition, sorted."""
        iterator = self._call(
            "query_iterator",
            batch_size=_PART,
            filter='key != ""',
            output_fields=["id"],
            partition_names=[partition],
            consistency_level="Strong",
        )
        found: list[int] = []
        try:
            while rows := self._guarded(iterator.next, "can't list the rows"):
                found += [row["id"] for row in rows]
        finally:
            iterator.close()
        return np.sort(np.array(found, dtype=np.int64))

    def known(self, partition: str, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ids (n,) that exist in a partition, sorted."""
        found = [
            row["id"] for part in _parts(ids, _PART) for row in self._query(_among(part), ["id"], partition)
        ]  # fmt: skip
        return np.sort(np.array(found, dtype=np.int64))

    def rows(self, partition: str, ids: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield batches of ids and embeddings (n, dim), sorted by id; missing ids are omitted."""
        for part in _parts(np.unique(ids), _PART):
            keys = ", ".join(f'"{partition}/{each}"' for each in part.tolist())
            found = self._query(f"key in [{keys}]", ["id", "embedding"], partition)
            found_ids = np.array([row["id"] for row in found], dtype=np.int64)
            rows = np.array([row["embedding"] for row in found], dtype=np.float32).reshape(len(found), self.dim)
            order = np.argsort(found_ids)
            yield found_ids[order], rows[order]

    def nearest(
        self, partition: str, queries: NDArray[np.float32], limit: int, *, among: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores and ids (q, k) in the server's order; k is at most `limit` and equal for all queries.

        Args:
            partition: where to search.
            queries: (q, dim) unit-norm.
            limit: at most MAX_LIMIT.
            among: ids that the search is restricted to, at most MAX_LIMIT.
        """
        chosen = _SEARCH.get(self.index_type, {}) | self._address.search_params
        params = {name: max(value, limit) if name in _AT_LEAST_HITS else value for name, value in chosen.items()}
        answers: list[Any] = []
        step = max(1, 4 * MAX_LIMIT // limit)
        for start in range(0, len(queries), step):
            answers += self._call(
                "search",
                data=list(np.ascontiguousarray(queries[start : start + step], dtype=np.float32)),
                anns_field="embedding",
                limit=limit,
                filter="" if among is None else _among(among),
                partition_names=[partition],
                search_params={"metric_type": "IP", "params": params},
                consistency_level=self._address.consistency,
            )
        count = min((len(hits) for hits in answers), default=0)
        scores = [[hit["distance"] for hit in hits[:count]] for hits in answers]
        ids = [[int(hit["key"].rpartition("/")[2]) for hit in hits[:count]] for hits in answers]
        shape = (len(queries), count)
        return np.array(scores, dtype=np.float32).reshape(shape), np.array(ids, dtype=np.int64).reshape(shape)

    # ------------------------------------------------------------------ requests

    def _find_note(self, about: str) -> dict[str, Any] | None:
        rows = self._query(f'key in ["{_note_key(about)}"]', ["*"], "_default")
        return dict(rows[0]) if rows else None

    def _write_note(self, about: str, **values: str | int) -> None:
        row = {"key": _note_key(about), "id": 0, "embedding": np.zeros(self.dim, np.float32), **values}
        self._call("upsert", data=[row], partition_name="_default")

    def _query(self, condition: str, fields: Sequence[str], partition: str) -> list[Mapping[str, Any]]:
        # Strong consistency: decisions, such as that no row is missing, depend on writes of other processes, which
        # "Session" does not include. On a cluster it costs a wait of 0.2 s at most with Milvus's default settings.
        found: list[Mapping[str, Any]] = self._call(
            "query",
            filter=condition,
            output_fields=list(fields),
            partition_names=[partition],
            consistency_level="Strong",
        )
        return list(found)

    def _call(self, method: str, **arguments: Any) -> Any:
        call: Callable[..., Any] = getattr(self._client, method)
        return self._guarded(
            lambda: call(self.name, **{"timeout": _CALL_S, **arguments}), f"{method.replace('_', ' ')} failed"
        )

    def _guarded(self, action: Callable[[], Any], failed: str) -> Any:
        try:
            return action()
        except Exception as error:
            if not self._is_foreign(error):
                raise
            if self._is_unreachable(error):
                failed = f"can't reach Milvus at {self._address.server}; {_REMEDY}"
            elif "DEADLINE_EXCEEDED" in str(error):
                failed = f"Milvus at {self._address.server} timed out: {failed}; check its load, then try again"
            else:
                reason = getattr(error, "message", "") or first_line(error)
                failed = f"Milvus at {self._address.server}: {failed}: {first_line(Exception(reason))}"
            raise VectorIndexError(failed) from error

    def _is_foreign(self, error: Exception) -> bool:
        """Return whether an error is pymilvus's, or gRPC's, which pymilvus does not always wrap."""
        import grpc

        return isinstance(error, self._milvus.MilvusException | grpc.RpcError | grpc.FutureTimeoutError)

    def _is_unreachable(self, error: Exception) -> bool:
        import grpc

        code = error.code() if isinstance(error, grpc.RpcError) and hasattr(error, "code") else None
        text = str(error)
        lost = ("Fail connecting", "connection first", "UNAVAILABLE")
        return code == grpc.StatusCode.UNAVAILABLE or any(part in text for part in lost)


def _note_key(about: str) -> str:
    return f"note/{about}"


def _among(ids: NDArray[np.int64]) -> str:
    # Inlined ids: milvus-lite does not support filter templates, which a cluster would parse faster.
    return f"id in {ids.tolist()}"


def _parts(ids: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
