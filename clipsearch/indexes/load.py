"""Load an index file of any kind."""

from pathlib import Path

from clipsearch.errors import VectorIndexError
from clipsearch.indexes.flat import FaissIndex
from clipsearch.indexes.ivf import IvfIndex
from clipsearch.indexes.ivf_codes import CodedIvfIndex
from clipsearch.indexes.ivf_tuning import Tuning
from clipsearch.indexes.layout import check_layout


def load_index(path: Path, *, dim: int, count: int, ann: str | None) -> FaissIndex:
    """Load an index file, flat or IVF, after validating its layout.

    Args:
        path: the index file.
        dim: dimensions of a row.
        count: number of rows.
        ann: JSON of the `Tuning` in the index's sidecar; None for a flat index.

    Raises:
        VectorIndexError: the file can't be read, or its layout is not the expected one.
    """
    if ann is None:
        check_layout(path, dim=dim, count=count)
        return FaissIndex.load(path)
    tuning = Tuning.from_json(ann)
    check_layout(path, dim=dim, count=count, cells=tuning.cells)
    index: IvfIndex
    if tuning.codes == "SQ4":
        index = coded = CodedIvfIndex.map_file(path, dim=dim, count=count)
        coded.rescored = tuning.rescored
    else:
        index = IvfIndex.load(path)
    if index.nlist != tuning.nlist:
        raise VectorIndexError(f"the index {path} has {index.nlist} cells, not {tuning.nlist}")
    index.nprobe = tuning.nprobe
    return index
