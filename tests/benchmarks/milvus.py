"""An index on a Milvus server against one in files: python -m tests.benchmarks.milvus [--rows 50000]

The same rows are given to both, and the same queries; the server is milvus-lite's, on the loopback.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from clipsearch.indexes.base import VectorIndex
from clipsearch.indexes.flat import FaissIndex
from clipsearch.indexes.milvus.address import parse_index_url
from clipsearch.indexes.milvus.collection import MilvusCollection
from clipsearch.indexes.milvus.index import MilvusIndex
from clipsearch.vectors import from_bytes, normalise, to_bytes
from tests.benchmarks.measuring import print_table, seconds_of
from tests.support.milvus_server import MilvusServer

_QUERIES = 50
_TOP_K = 10


def _median_ms(index: VectorIndex, queries: NDArray[np.float32], among: NDArray[np.int64] | None) -> float:
    return 1000 * median(seconds_of(lambda row=row: index.search(row[None], _TOP_K, among=among)) for row in queries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=512)
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    rows = normalise(rng.standard_normal((chosen.rows, chosen.dim)))
    rows = from_bytes([to_bytes(row) for row in rows], chosen.dim)
    queries = normalise(rng.standard_normal((_QUERIES, chosen.dim)))
    ids = np.arange(1, chosen.rows + 1, dtype=np.int64)
    files = FaissIndex(chosen.dim)
    files.add(ids, rows)
    with tempfile.TemporaryDirectory() as folder:
        server = MilvusServer(Path(folder))
        server.start()
        try:
            address = parse_index_url(f"{server.url}/benchmark", catalog="benchmark")
            collection = MilvusCollection(address, dim=chosen.dim, catalog="benchmark")
            collection.make(expected_rows=chosen.rows)
            collection.make_partition("images")
            sending = seconds_of(lambda: collection.upsert("images", ids, rows))
            sealing = seconds_of(collection.seal)
            on_server = MilvusIndex(collection, "images")
            table = [("sent in, sealed in", f"{sending:.1f} s, {sealing:.1f} s", "")]
            for title, share in (("among all", None), ("among 1 %", 0.01), ("among 50 %", 0.5)):
                among = None if share is None else np.sort(rng.choice(ids, round(share * len(ids)), replace=False))
                found = [index.search(queries, _TOP_K, among=among) for index in (on_server, files)]
                same = int(np.count_nonzero(found[0][1] == found[1][1]))
                off = float(np.abs(found[0][0] - found[1][0]).max())
                ms = [_median_ms(index, queries[:10], among) for index in (on_server, files)]
                table.append((title, f"{ms[0]:.0f} ms", f"{ms[1]:.1f} ms"))
                table.append(("  the same places", f"{same} of {found[0][1].size}", f"scores off by {off:.0e}"))
            collection.close()
        finally:
            server.stop()
    print_table([f"{chosen.rows:,} x {chosen.dim}", "Milvus", "files"], table)


if __name__ == "__main__":
    main()
