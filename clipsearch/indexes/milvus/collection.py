"""A collection on a Milvus server. The only file that imports pymilvus.

One collection holds the embeddings of one catalog that have the same number of dimensions: a partition for each model,
kind (pictures, captions) and generation. Beside them, in the default partition, lies a row for each partition that
says how far it has come, and one with the uuid of the catalog.
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
"""Hits of one search, and rows of one answer. Source: Milvus's limits, milvus.io/docs/limitations.md."""

# Up to so many rows a scan of all is a matter of some ten milliseconds, and what is exact needs no tuning and loses no
# picture; beyond, HNSW is what answers fastest from memory.
_MAX_FLAT_ROWS = 200_000

# More links and more effort than Milvus's defaults: the index is built once.
# Source: Malkov and Yashunin, arXiv:1603.09320, section 4.1: M of 5 to 48, more for more dimensions.
_BUILD = {"HNSW": {"M": 32, "efConstruction": 200}, "IVF_FLAT": {"nlist": 1_024}}
_SEARCH = {"HNSW": {"ef": 200}, "IVF_FLAT": {"nprobe": 32}, "DISKANN": {"search_list": 200}}
# These must not be less than the number of hits asked for.
_AT_LEAST_HITS = ("ef", "search_list")

# A message of a Milvus server holds 64 MB at most; half of a batch may be sent twice when the connection breaks.
_BATCH_BYTES = 8_000_000
_PART = 4_096

_CONNECT_S = 10.0
# pymilvus tries again by itself, for minutes when nothing says how long.
_CALL_S = 60.0
_LOAD_S = 600.0

_OWNER = "catalog"
_HOW = "start it, or 'clipsearch index --index files' and 'clipsearch reindex' do without it"


def _load_pymilvus() -> Any:
    """
    Raises:
        MissingExtraError: it is not installed.
    """
    # Loaded, it would read a file .env somewhere above, whatever that is for.
    before = os.environ.get("PYTHON_DOTENV_DISABLED")
    os.environ["PYTHON_DOTENV_DISABLED"] = "1"
    try:
        import pymilvus
    except ImportError as error:
        raise MissingExtraError(
            "an index on a Milvus server needs the package pymilvus: pip install 'clipsearch[milvus]'"
        ) from error
    finally:
        if before is None:
            del os.environ["PYTHON_DOTENV_DISABLED"]
        else:
            os.environ["PYTHON_DOTENV_DISABLED"] = before
    # It prints tracebacks of what it raises as well.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    return pymilvus


class MilvusCollection:
    """Rows (id, embedding) by partition. For any number of threads."""

    def __init__(self, address: MilvusAddress, *, dim: int, catalog: str) -> None:
        """Connects.

        Args:
            catalog: uuid of the one whose collection it is.

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
                # The server that was named, and no proxy that stands in the environment.
                grpc_options={"grpc.enable_http_proxy": 0},
            ),
            f"can't reach Milvus at {address.server}; {_HOW}",
        )

    def close(self) -> None:
        self._client.close()

    # ------------------------------------------------------------------ the collection

    def find(self) -> bool:
        """Whether the collection is there, and ready.

        Raises:
            IndexMismatchError: there is one of something else.
        """
        if not self._call("has_collection"):
            return False
        described = self._call("describe_collection")
        dims = [each["params"].get("dim") for each in described["fields"] if each["name"] == "embedding"]
        if [int(dim) for dim in dims if dim is not None] != [self.dim]:
            raise IndexMismatchError(f"the collection {self.name} at {self._address.server} was not made by clipsearch")
        if "embedding" not in self._call("list_indexes"):  # whoever made it was interrupted
            return False
        self._call("load_collection", timeout=_LOAD_S)
        owner = self._find_note(_OWNER)
        # Without one, whoever made it was interrupted before a row was in it.
        if owner is not None and owner["catalog"] != self._catalog:
            raise IndexMismatchError(
                f"the collection {self.name} at {self._address.server} is of another catalog: name another one, as in "
                f"milvus://{self._address.server}/NAME"
            )
        if owner is None and self.partitions():
            raise IndexMismatchError(f"nothing says which catalog the collection {self.name} is of: name another one")
        if owner is None:
            self._write_note(_OWNER, catalog=self._catalog)
        self.index_type = str(self._call("describe_index", index_name="embedding")["index_type"])
        return True

    def make(self, *, expected_rows: int) -> None:
        """Finds the collection, or makes it, with an index for about so many rows; errors as in `find`."""
        if self.find():
            return
        if not self._call("has_collection"):
            self._create()
        index_type = self._address.index_type or ("FLAT" if expected_rows <= _MAX_FLAT_ROWS else "HNSW")
        build = _BUILD.get(index_type, {}) | self._address.build_params
        indexes = self._client.prepare_index_params()
        indexes.add_index("id", index_name="id", index_type="INVERTED")
        # The metric is named: Milvus's default is another one.
        indexes.add_index("embedding", index_name="embedding", index_type=index_type, metric_type="IP", params=build)
        # Nothing is in it that would have to be waited for.
        self._call("create_index", index_params=indexes, sync=False)
        if not self.find():
            raise VectorIndexError(f"the collection {self.name} at {self._address.server} went away while it was made")

    def _create(self) -> None:
        kinds = self._milvus.DataType
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=True)
        # Ids are unique in a partition only, keys in all: in what partitions an upsert or a deletion of the same key
        # takes effect is said nowhere, and milvus-lite deletes in all.
        schema.add_field("key", kinds.VARCHAR, is_primary=True, max_length=128)
        schema.add_field("id", kinds.INT64)
        schema.add_field("embedding", kinds.FLOAT_VECTOR, dim=self.dim)
        # One shard: rows are seen in the order they were written.
        self._call("create_collection", schema=schema, num_shards=1, consistency_level="Strong")

    def drop(self) -> None:
        """Deletes the collection where it is there; errors as in `find`."""
        if self.find():
            self._call("drop_collection", timeout=_LOAD_S)

    # ------------------------------------------------------------------ partitions

    def partitions(self) -> list[str]:
        return [str(name) for name in self._call("list_partitions") if name != "_default"]

    def make_partition(self, partition: str) -> None:
        if partition not in self.partitions():
            try:
                self._call("create_partition", partition_name=partition)
            except VectorIndexError:  # another process was faster
                if partition not in self.partitions():
                    raise

    def drop_partition(self, partition: str) -> None:
        self._call("delete", ids=[_note_key(partition)])
        # A cluster drops what is not loaded; milvus-lite knows no loading by partition.
        try:
            self._client.release_partitions(self.name, [partition], timeout=_CALL_S)
        except Exception as error:
            if not self._is_foreign(error):
                raise
        self._call("drop_partition", partition_name=partition)

    def find_progress(self, partition: str) -> dict[str, Any] | None:
        """What was last written with `write_progress`."""
        return self._find_note(partition)

    def write_progress(self, partition: str, **values: str | int) -> None:
        self._write_note(partition, catalog=self._catalog, **values)

    # ------------------------------------------------------------------ rows

    def upsert(self, partition: str, ids: NDArray[np.int64], embeddings: NDArray[np.float32]) -> None:
        """Adds rows; those that are there already are replaced."""
        step = max(1, _BATCH_BYTES // (4 * self.dim + 128))
        for start in range(0, len(ids), step):
            part = ids[start : start + step].tolist()
            rows = [
                {"key": f"{partition}/{each}", "id": each, "embedding": row}
                for each, row in zip(part, embeddings[start : start + step], strict=True)
            ]
            self._call("upsert", data=rows, partition_name=partition)

    def seal(self) -> None:
        """After many rows were sent: only what is sealed gets its index. The server does so by itself, but later:
        50,000 rows that lie in milvus-lite's memory take seconds to search, sealed ones a tenth of one."""
        self._call("flush", timeout=_LOAD_S)
        self._call("load_collection", timeout=_LOAD_S)

    def delete(self, partition: str, ids: NDArray[np.int64]) -> None:
        for part in _parts(ids, _PART):
            self._call("delete", ids=[f"{partition}/{each}" for each in part.tolist()], partition_name=partition)

    def count(self, partition: str) -> int:
        # With a filter that all pass: without any, milvus-lite counts all partitions.
        (row,) = self._query('key != ""', ["count(*)"], partition)
        return int(row["count(*)"])

    def ids(self, partition: str) -> NDArray[np.int64]:
        """All ids (n,), sorted."""
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
        """Those of the ids (n,) that are there, sorted."""
        found = [
            row["id"] for part in _parts(ids, _PART) for row in self._query(_among(part), ["id"], partition)
        ]  # fmt: skip
        return np.sort(np.array(found, dtype=np.int64))

    def rows(self, partition: str, ids: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """(ids, embeddings (n, dim)) in parts, sorted by id; ids that are not there are left out."""
        for part in _parts(np.unique(ids), _PART):
            keys = ", ".join(f'"{partition}/{each}"' for each in part.tolist())
            found = self._query(f"key in [{keys}]", ["id", "embedding"], partition)
            there = np.array([row["id"] for row in found], dtype=np.int64)
            rows = np.array([row["embedding"] for row in found], dtype=np.float32).reshape(len(found), self.dim)
            order = np.argsort(there)
            yield there[order], rows[order]

    def nearest(
        self, partition: str, queries: NDArray[np.float32], limit: int, *, among: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(q, dim) → scores and ids (q, k) as the server gives them, k being at most `limit` and the same for all.

        Args:
            limit: at most MAX_LIMIT.
            among: at most MAX_LIMIT ids.
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

    # ------------------------------------------------------------------ asking

    def _find_note(self, about: str) -> dict[str, Any] | None:
        rows = self._query(f'key in ["{_note_key(about)}"]', ["*"], "_default")
        return dict(rows[0]) if rows else None

    def _write_note(self, about: str, **values: str | int) -> None:
        row = {"key": _note_key(about), "id": 0, "embedding": np.zeros(self.dim, np.float32), **values}
        self._call("upsert", data=[row], partition_name="_default")

    def _query(self, condition: str, fields: Sequence[str], partition: str) -> list[Mapping[str, Any]]:
        # Strong: what is decided from this, such as that nothing is missing, must be true of what another process has
        # written before. The price on a cluster is to wait until it has seen everything up to now, 0.2 s at most with
        # Milvus's own settings. With "Session" that would hold for what this process has written, which is nothing.
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
                failed = f"can't reach Milvus at {self._address.server}; {_HOW}"
            elif "DEADLINE_EXCEEDED" in str(error):
                failed = f"Milvus at {self._address.server} does not answer in time: {failed}; see what it is busy with"
            else:
                said = getattr(error, "message", "") or first_line(error)
                failed = f"Milvus at {self._address.server}: {failed}: {first_line(Exception(said))}"
            raise VectorIndexError(failed) from error

    def _is_foreign(self, error: Exception) -> bool:
        """One of pymilvus or of gRPC, which pymilvus lets through here and there."""
        import grpc

        return isinstance(error, self._milvus.MilvusException | grpc.RpcError | grpc.FutureTimeoutError)

    def _is_unreachable(self, error: Exception) -> bool:
        import grpc

        code = error.code() if isinstance(error, grpc.RpcError) and hasattr(error, "code") else None
        said = str(error)
        lost = ("Fail connecting", "connection first", "UNAVAILABLE")
        return code == grpc.StatusCode.UNAVAILABLE or any(part in said for part in lost)


def _note_key(about: str) -> str:
    return f"note/{about}"


def _among(ids: NDArray[np.int64]) -> str:
    # Written out: milvus-lite knows no templates, which a cluster would parse faster.
    return f"id in {ids.tolist()}"


def _parts(ids: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
