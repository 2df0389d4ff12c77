"""Map of meaning: all pictures in two dimensions, with named regions, and its file.

The file is derived: a magic number, a checksum of the rest, the length of the header in 8 bytes, the header (JSON), and
the columns. There is one for each catalog and model, which nothing else records; it is not trusted.
"""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from clipsearch.errors import VectorIndexError
from clipsearch.files import open_regular_file, recreate_file, remove_file
from clipsearch.indexes.names import require_own_folder
from clipsearch.query.areas import Rectangle
from clipsearch.query.filters import Filter

# The last character is the version.
_MAGIC = b"clipmap1"
_CHECKSUM_BYTES = 32
_MAX_HEADER_BYTES = 1 << 20

# What a region's box leaves out on each side: of many pictures, the outermost ones lie far from the others.
_INSIDE = (0.02, 0.98)


_NOWHERE = Rectangle(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class MapRegion:
    """Part of the map whose pictures show similar things.

    Attributes:
        level: 0 for the large regions, which those of the next levels are parts of.
        name: a label more frequent in it than elsewhere; different from those of other regions of its level.
        parent: place in `PictureMap.regions` of the region of the level above that it is part of; None: of level 0.
        pictures: number of pictures.
        box: what nearly all of them lie in.
        center: median position of them, (x, y).
    """

    level: int
    name: str
    parent: int | None = None
    pictures: int = 0
    box: Rectangle = _NOWHERE
    center: tuple[float, float] = (0.0, 0.0)

    @property
    def query(self) -> str:
        """Filter of the pictures in the box, in the query language."""
        return str(Filter("map", self.box))


@dataclass(frozen=True, slots=True, eq=False)
class PictureMap:
    """Pictures in two dimensions: near ones show similar things.

    Attributes:
        content_ids: (n,) of the pictures, in the order of their smallest regions.
        positions: (n, 2) float32, from 0 to 1: x to the right, y downwards.
        region_of: (n,) the smallest region of each picture, as a place in `regions`.
        regions: of all levels, the largest level first.
        laid_out: number of pictures when the map was made.
        placed: number of pictures that came later, each next to those that it is most like.
    """

    content_ids: NDArray[np.int64]
    positions: NDArray[np.float32]
    region_of: NDArray[np.int64]
    regions: tuple[MapRegion, ...]
    laid_out: int
    placed: int = 0

    def inside(self, box: Rectangle) -> NDArray[np.int64]:
        """Return the content ids (n,), sorted, of the pictures in a rectangle."""
        x, y = self.positions.T
        is_inside = (x >= box.left) & (x <= box.right) & (y >= box.top) & (y <= box.bottom)
        return np.sort(self.content_ids[is_inside])

    def among(self, content_ids: NDArray[np.int64]) -> "PictureMap":
        """Return the map with these pictures alone, in order; regions without any are left empty."""
        kept = np.flatnonzero(np.isin(self.content_ids, content_ids))
        if len(kept) == len(self.content_ids):
            return self
        rest = replace(
            self,
            content_ids=self.content_ids[kept],
            positions=self.positions[kept],
            region_of=self.region_of[kept],
        )
        return rest.measured()

    def measured(self) -> "PictureMap":
        """Return the map in the order of its regions, with the numbers, boxes and centers of these."""
        order = np.lexsort((self.content_ids, self.region_of))
        positions, region_of = np.ascontiguousarray(self.positions[order]), self.region_of[order]
        # Smallest regions come last, so that each is counted before the one that it is part of.
        rows: list[list[NDArray[np.int64]]] = [[] for _ in self.regions]
        starts = np.searchsorted(region_of, np.arange(len(self.regions) + 1))
        found = list(self.regions)
        for number in range(len(found) - 1, -1, -1):
            own = np.concatenate([np.arange(starts[number], starts[number + 1]), *rows[number]])
            found[number] = _measure(found[number], positions[own])
            parent = found[number].parent
            if parent is not None:
                rows[parent].append(own)
        return replace(
            self,
            content_ids=self.content_ids[order],
            positions=positions,
            region_of=region_of,
            regions=tuple(found),
        )


def _measure(region: MapRegion, positions: NDArray[np.float32]) -> MapRegion:
    if not len(positions):
        return MapRegion(region.level, region.name, region.parent)
    low = np.quantile(positions, _INSIDE[0], axis=0, method="lower")
    high = np.quantile(positions, _INSIDE[1], axis=0, method="higher")
    x, y = np.median(positions, axis=0).tolist()
    left, top = (math.floor(float(each) * 1e4) / 1e4 for each in low)
    right, bottom = (math.ceil(float(each) * 1e4) / 1e4 for each in high)
    return replace(region, pictures=len(positions), box=Rectangle(left, top, right, bottom), center=(x, y))


def map_path(folder: Path, uuid: str, fingerprint: str) -> Path:
    """Return the path of the map of a catalog's pictures by a model."""
    return folder / f"map-{blake3(f'{uuid} {fingerprint}'.encode()).hexdigest()[:16]}.bin"


def save_map(made: PictureMap, path: Path) -> None:
    """Write a map atomically.

    Raises:
        VectorIndexError: it can't be written, or the folder is a link.
    """
    header = json.dumps(
        {
            "pictures": len(made.content_ids),
            "laid_out": made.laid_out,
            "placed": made.placed,
            "regions": [[each.level, each.name, each.parent] for each in made.regions],
        }
    ).encode("ascii")
    body = b"".join(
        (
            len(header).to_bytes(8, "little"),
            header,
            made.content_ids.astype("<i8").tobytes(),
            made.positions.astype("<f4").tobytes(),
            made.region_of.astype("<u2").tobytes(),
        )
    )
    # Not `atomic_file`: one that a killed process leaves is recognised by its name.
    scratch = path.with_name(f"map.{os.getpid()}.new")
    try:
        require_own_folder(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with recreate_file(scratch) as file:
            file.write(_MAGIC + blake3(body).digest() + body)
        scratch.replace(path)
    except OSError as error:
        raise VectorIndexError(f"can't write the map in {path.parent}: {error.strerror}") from error
    finally:  # also after Ctrl-C; on success it was renamed
        remove_file(scratch)


def load_map(path: Path) -> PictureMap | None:
    """Read a map; None where there is none, or one of another version.

    Raises:
        VectorIndexError: it can't be read, or is damaged.
    """
    require_own_folder(path.parent)
    try:
        with open_regular_file(path, follow_link=False) as file:
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VectorIndexError(f"can't read the map {path}: {error.strerror}") from error
    if content.startswith(_MAGIC[:-1]) and not content.startswith(_MAGIC):
        return None
    start = len(_MAGIC) + _CHECKSUM_BYTES
    body = memoryview(content)[start:]
    try:
        if not content.startswith(_MAGIC) or blake3(body).digest() != content[len(_MAGIC) : start]:
            raise ValueError("checksum")
        size = int.from_bytes(body[:8], "little")
        if size > _MAX_HEADER_BYTES:
            raise ValueError("header")
        return _read(json.loads(bytes(body[8 : 8 + size])), body[8 + size :])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise VectorIndexError(f"the map {path} is damaged") from error


def _read(header: dict[str, Any], columns: memoryview) -> PictureMap:
    count = int(header["pictures"])
    regions = tuple(_region(each, number) for number, each in enumerate(header["regions"]))
    if count < 0 or len(columns) != count * (8 + 8 + 2):
        raise ValueError("length")
    ids = np.frombuffer(columns, "<i8", count).astype(np.int64)
    positions = np.frombuffer(columns, "<f4", 2 * count, 8 * count).astype(np.float32).reshape(count, 2)
    region_of = np.frombuffer(columns, "<u2", count, 16 * count).astype(np.int64)
    is_inside = bool(((positions >= 0) & (positions <= 1)).all())  # also not a number
    if not is_inside or (count and int(region_of.max()) >= len(regions)):
        raise ValueError("positions")
    return PictureMap(ids, positions, region_of, regions, int(header["laid_out"]), int(header["placed"])).measured()


def _region(values: Sequence[Any], number: int) -> MapRegion:
    level, name, parent = values
    if not isinstance(name, str) or not (parent is None or 0 <= int(parent) < number):
        raise ValueError("region")
    return MapRegion(int(level), name, None if parent is None else int(parent))


def check_map(path: Path) -> str | None:
    """Return what is wrong with a map; None also where it is missing."""
    try:
        load_map(path)
    except VectorIndexError as error:
        return str(error)
    return None
