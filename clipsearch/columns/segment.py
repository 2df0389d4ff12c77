"""Segment of the columns: pictures with a file, a row each, and all that filters compare of them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.descriptions import LISTINGS, DescriptionRows, Listing
from clipsearch.columns.geography import PlaceColumn, place_arrays_of, place_column
from clipsearch.columns.natural import name_order
from clipsearch.columns.places import place_arrays
from clipsearch.columns.text import TextColumn
from clipsearch.columns.text_index import text_arrays
from clipsearch.columns.values import UNKNOWN_TIME, as_text, floats, integers, milliseconds, places_of, times, turn
from clipsearch.description import Description, unpack
from clipsearch.parts import MOST_PARTS
from clipsearch.query.globs import folded

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


# Highest id of a part; higher ones of an untrusted file would need a bitmap of gigabytes.
MAX_ROW = 1 << 31

_INTEGERS = ("width", "height", "sharpness", "brightness")


class Segment:
    """Immutable columns of n pictures.

    Arrays, by name:
        ids: int64 (n,), growing. size: int64. width, height, sharpness, brightness: int32; `UNKNOWN`.
        taken: int64, microseconds since 1970; duration: int64, milliseconds; `UNKNOWN_TIME`.
        is_sure: bool, taken is known and not doubtful.
        is_read: bool, what is written in the file is known: not of those that an earlier version has indexed.
        order: rows, the newest first: by a sure date, then by any date, then by id.
        by_name: rows in the natural order of names, see `orders.Order`.
        latitude, longitude: float64; x, y, z: float32, as in `place_arrays`; NaN.
        camera, format: codes; 0 unknown, else the place in the dictionary + 1. Highest code of the type: none.
        folder: code of a file's folder (files,); the first n files are the first ones of each row, in order.
        extra_rows: rows of the other files. folder_root: root id of each folder.
        part_rows: rows of contents of several parts; part_first, part_count: ids of those besides the cover.
        name.*, whole.*, relative.*: `TextColumn` of the folded names of files, and of the folded paths of folders from
            the top and below the root, both with a slash at the end unless they are empty.
        Those of `columns.descriptions` and `columns.geography`.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], *, cameras: Sequence[str], formats: Sequence[str]) -> None:
        self.arrays = arrays
        self.cameras, self.formats = tuple(cameras), tuple(formats)
        self.names = TextColumn(arrays, "name")
        self.wholes = TextColumn(arrays, "whole")
        self.relatives = TextColumn(arrays, "relative")
        self.titles = TextColumn(arrays, "title")
        self.listings = {name: Listing(arrays, name) for name in LISTINGS}

    def __len__(self) -> int:
        return len(self.arrays["ids"])

    @property
    def ids(self) -> NDArray[np.int64]:
        return self.arrays["ids"]

    @cached_property
    def folded_cameras(self) -> list[bytes]:
        """Names of the cameras as filters compare them."""
        return [folded(name) for name in self.cameras]

    @cached_property
    def places(self) -> PlaceColumn:
        """The places of the pictures; the table of places is read for them."""
        return place_column(self.arrays)

    @cached_property
    def may_have_places(self) -> bool:
        """Whether any picture has coordinates or names of a place, without a look at the table of places."""
        return not np.isnan(self.arrays["latitude"]).all() or len(self.listings["where"].rows) > 0

    def with_places(self) -> "Segment":
        """Return the segment with the columns of places, for a file."""
        return Segment({**self.arrays, **place_arrays_of(self.arrays)}, cameras=self.cameras, formats=self.formats)

    @cached_property
    def highest_id(self) -> int:
        """Highest id of a content or a part; -1 without rows."""
        ends = self.arrays["part_first"] + self.arrays["part_count"] - 1
        return int(max(self.ids.max(initial=-1), ends.max(initial=-1)))

    @cached_property
    def first_id(self) -> int | None:
        """The first id, where the others follow it without a gap; None without ids, or with a gap."""
        is_run = len(self) > 0 and int(self.ids[-1]) - int(self.ids[0]) == len(self) - 1
        return int(self.ids[0]) if is_run else None


@dataclass(slots=True)
class Names:
    """Texts of rows, of which most are the same few; each different one once.

    Attributes:
        code_of: code of each text, from 1.
        codes: of each row; 0: unknown.
    """

    code_of: dict[str, int] = field(default_factory=dict)
    codes: list[NDArray[np.int64]] = field(default_factory=list)
    _known: dict[Any, int] = field(default_factory=dict)

    def add(self, values: Sequence[Any]) -> None:
        """Add untrusted texts; what is none is unknown."""
        for value in set(values).difference(self._known):
            text = as_text(value)
            self._known[value] = 0 if text is None else self._code(text)
        self.codes.append(np.fromiter(map(self._known.__getitem__, values), np.int64, len(values)))

    def add_coded(self, names: Sequence[str], codes: NDArray[np.unsignedinteger]) -> None:
        """Add texts by their codes (n,), as in a `Segment`."""
        self.codes.append(np.array([0, *map(self._code, names)])[codes])

    def _code(self, text: str) -> int:
        return self.code_of.setdefault(text, len(self.code_of) + 1)

    def sort(self, rows: NDArray[np.int64]) -> tuple[list[str], NDArray[Any]]:
        """Return the different texts of some rows, sorted, and each row's place among them + 1; 0: unknown."""
        codes = np.concatenate([np.empty(0, dtype=np.int64), *self.codes])[rows]
        is_used = np.bincount(codes, minlength=len(self.code_of) + 1) > 0
        names = sorted(name for name, code in self.code_of.items() if is_used[code])
        place_of = np.zeros(len(is_used), dtype=np.min_scalar_type(len(names) + 1))
        place_of[[self.code_of[name] for name in names]] = np.arange(1, len(names) + 1)
        return names, place_of[codes]


@dataclass(slots=True)
class Rows:
    """Rows of pictures, gathered to make a `Segment` of; in any order.

    Attributes:
        numbers: arrays of `Segment` by name, of the contents: ids, size, width … longitude; `is_doubtful` instead of
            `is_sure`, and without those that follow from others.
        camera, format: of each content.
        file_ids: content of each file.
        folders: (root id, folded path below the root, as bytes) by code.
        folder: code of each file's folder.
        names: folded names of the files.
        descriptions: of the contents that are described.
        parts: int64 (3, n): contents, and the first id and the number of their parts besides the cover.
        indexed: the order of the files that `index_names` took, and the arrays of their names.
    """

    numbers: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    camera: Names = field(default_factory=Names)
    format: Names = field(default_factory=Names)
    file_ids: list[NDArray[np.int64]] = field(default_factory=list)
    folders: dict[tuple[int, bytes], int] = field(default_factory=dict)
    folder: list[NDArray[np.int64]] = field(default_factory=list)
    names: list[bytes] = field(default_factory=list)
    descriptions: DescriptionRows = field(default_factory=DescriptionRows)
    parts: list[NDArray[np.int64]] = field(default_factory=list)
    indexed: "tuple[NDArray[np.int64], Future[dict[str, NDArray[Any]]]] | None" = None

    def add_contents(self, rows: Sequence[Sequence[Any]], merged: Mapping[int, Description]) -> None:
        """Add untrusted rows of `ColumnReader.contents`; a value of another type is unknown.

        Args:
            merged: what all sources say of those contents that have sidecars.
        """
        ids, size, width, height, formats, taken, is_doubtful, cameras, latitude, longitude, *others = turn(rows)
        *measures, duration, described = others
        self._add("ids", np.array(ids, dtype=np.int64))
        self._add("size", integers(size, np.int64))
        for name, values in zip(_INTEGERS, (width, height, *measures), strict=True):
            self._add(name, integers(values, np.int32))
        self._add("taken", times(taken))
        self._add("duration", milliseconds(duration))
        self._add("is_doubtful", np.fromiter(map(bool, is_doubtful), np.bool_, len(ids)))
        self._add("is_read", np.array([packed is not None for packed in described], dtype=np.bool_))
        self._add("latitude", floats(latitude))
        self._add("longitude", floats(longitude))
        self.camera.add(cameras)
        self.format.add(formats)
        for content_id, packed in zip(ids, described, strict=True):
            if content_id in merged:
                self.descriptions.add(content_id, merged[content_id])
            elif packed:
                self.descriptions.add(content_id, unpack(as_text(packed)))

    def add_texts(self, rows: Sequence[tuple[int, bool, Any]]) -> None:
        """Add rows of `ColumnReader.with_text`, with untrusted kinds."""
        for content_id, has_lines, kind in rows:
            self.descriptions.add_text(content_id, has_lines=bool(has_lines), kind=as_text(kind))

    def _add(self, name: str, values: NDArray[Any]) -> None:
        self.numbers.setdefault(name, []).append(values)

    def add_files(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add untrusted rows of `ColumnReader.files`."""
        _, ids, roots, paths = turn(rows)
        split = [(path if isinstance(path, bytes) else b"").lower().rpartition(b"/") for path in paths]
        folders, codes, code, last = self.folders, [], 0, None
        for root, (below, _, _) in zip(roots, split, strict=True):
            if (root, below) != last:  # most files are next to the one before
                last = (root, below)
                code = folders.setdefault(last, len(folders))
            codes.append(code)
        self.folder.append(np.array(codes, dtype=np.int64))
        self.file_ids.append(np.array(ids, dtype=np.int64))
        self.names += [name for _, _, name in split]

    def add_parts(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add untrusted rows of `ColumnReader.parts`."""
        numbers = np.stack([integers(values, np.int64) for values in zip(*rows, strict=True)])
        _, first, count = numbers
        is_valid = (first > 0) & (first <= MAX_ROW) & (count >= 0) & (count < MOST_PARTS)
        self.parts.append(numbers[:, is_valid])

    def add_segment(self, segment: Segment, is_kept: NDArray[np.bool_]) -> None:
        """Add the rows (n,) of a segment that are kept."""
        kept = np.flatnonzero(is_kept)
        arrays = segment.arrays
        for name in ("ids", "size", *_INTEGERS, "taken", "duration", "latitude", "longitude", "is_read"):
            self._add(name, arrays[name][kept])
        self._add("is_doubtful", ~arrays["is_sure"][kept] & (arrays["taken"][kept] != UNKNOWN_TIME))
        self.camera.add_coded(segment.cameras, arrays["camera"][kept])
        self.format.add_coded(segment.formats, arrays["format"][kept])
        owners = np.concatenate((np.arange(len(segment)), arrays["extra_rows"]))
        files = np.flatnonzero(is_kept[owners])
        keys = [
            (root, segment.relatives.string(code).removesuffix(b"/"))
            for code, root in enumerate(arrays["folder_root"].tolist())
        ]
        codes = np.array([self.folders.setdefault(key, len(self.folders)) for key in keys], dtype=np.int64)
        self.folder.append(codes[arrays["folder"][files].astype(np.int64)])
        self.file_ids.append(segment.ids[owners[files]])
        self.names += segment.names.take(files)
        self.descriptions.add_columns(arrays, is_kept)
        rows = arrays["part_rows"]
        of_parts = np.stack((segment.ids[rows], arrays["part_first"], arrays["part_count"]))
        self.parts.append(of_parts[:, is_kept[rows]])

    def index_names(self, pool: "ThreadPoolExecutor") -> None:
        """Begin to index the names in a thread, after all files were added: it takes as long as to read the contents.

        It is in vain where contents turn out to be missing.
        """
        file_ids = np.concatenate([np.empty(0, dtype=np.int64), *self.file_ids])
        order, _, _ = _order_files(np.unique(file_ids), file_ids)
        names = [self.names[file] for file in order.tolist()]
        self.indexed = order, pool.submit(text_arrays, names)


def _order_files(
    sorted_ids: NDArray[np.int64], file_ids: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Order files by their contents: the first file of each content that has one, then all others.

    Args:
        sorted_ids: of the contents; a file of another one is left out.
        file_ids: content of each file.

    Returns:
        The order (m,), the contents (n,) that have a file, as places in `sorted_ids`, and these of the files (m,).
    """
    place = np.searchsorted(sorted_ids, file_ids)
    is_known = np.zeros(len(file_ids), dtype=np.bool_)
    if len(sorted_ids):
        is_known = sorted_ids[np.minimum(place, len(sorted_ids) - 1)] == file_ids
    files = np.flatnonzero(is_known)
    # Of several writes to one place the last one counts: in reverse that of the first file.
    first = np.full(len(sorted_ids), -1)
    first[place[files[::-1]]] = files[::-1]
    used = np.flatnonzero(first >= 0)
    firsts = first[used]
    is_other = is_known
    is_other[firsts] = False
    order = np.concatenate((firsts, np.flatnonzero(is_other)))
    return order, used, place[order]


def make_segment(rows: Rows, root_paths: Mapping[int, bytes]) -> Segment:
    """Make a segment of the contents among the rows that have a file.

    Args:
        root_paths: folded paths of the roots by id, without a slash at the end.
    """
    numbers = {name: np.concatenate(values) for name, values in rows.numbers.items()}
    ids = numbers.get("ids", np.empty(0, dtype=np.int64))
    file_ids = np.concatenate([np.empty(0, dtype=np.int64), *rows.file_ids])
    by_id = np.argsort(ids, kind="stable")
    sorted_ids = ids[by_id]
    # The rows with a file in the order of their ids.
    order, used, place = _order_files(sorted_ids, file_ids)
    kept = by_id[used]
    arrays: dict[str, NDArray[Any]] = {}
    if len(ids):
        names = ("ids", "size", *_INTEGERS, "taken", "duration", "latitude", "longitude", "is_read")
        arrays |= {name: numbers[name][kept] for name in names}
        is_doubtful = numbers["is_doubtful"][kept]
    else:
        arrays |= dict.fromkeys(("ids", "size", "taken", "duration"), ids)
        arrays |= {"latitude": np.empty(0), "longitude": np.empty(0)}
        arrays |= {name: np.empty(0, dtype=np.int32) for name in _INTEGERS}
        is_doubtful = arrays["is_read"] = np.empty(0, dtype=np.bool_)
    arrays |= place_arrays(arrays["latitude"], arrays["longitude"])
    arrays["is_sure"] = (arrays["taken"] != UNKNOWN_TIME) & ~is_doubtful
    arrays["order"] = np.lexsort((arrays["ids"], arrays["taken"], arrays["is_sure"]))[::-1].astype(np.uint32)
    cameras, arrays["camera"] = rows.camera.sort(kept)
    formats, arrays["format"] = rows.format.sort(kept)
    arrays["extra_rows"] = np.searchsorted(used, place[len(used) :])
    arrays |= _part_arrays(rows, arrays["ids"])
    arrays |= rows.descriptions.arrays(arrays["ids"])
    codes = np.concatenate([np.empty(0, dtype=np.int64), *rows.folder])[order]
    arrays["folder"] = codes.astype(np.min_scalar_type(len(rows.folders)))
    folders = list(rows.folders)
    arrays["folder_root"] = np.array([root for root, _ in folders], dtype=np.int64)
    below = [path + b"/" if path else b"" for _, path in folders]
    whole = [
        root_paths.get(root, b"") + os.sep.encode() + path for (root, _), path in zip(folders, below, strict=True)
    ]  # fmt: skip
    owners = np.concatenate((np.arange(len(used)), arrays["extra_rows"]))
    arrays["by_name"] = name_order([rows.names[file] for file in order.tolist()], codes, whole, owners)
    for name, text in (("whole", text_arrays(whole)), ("relative", text_arrays(below)), ("name", _names(rows, order))):
        arrays |= {f"{name}.{key}": array for key, array in text.items()}
    return Segment(arrays, cameras=cameras, formats=formats)


def _part_arrays(rows: Rows, ids: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Return the arrays of parts of contents (n,), which grow."""
    owners, first, count = np.concatenate((np.empty((3, 0), dtype=np.int64), *rows.parts), axis=1)
    places, is_known = places_of(owners, ids)
    return {"part_rows": places, "part_first": first[is_known], "part_count": count[is_known]}


def _names(rows: Rows, order: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return the arrays of the names of files in an order."""
    if rows.indexed is not None:
        found = rows.indexed[1].result()
        if np.array_equal(rows.indexed[0], order):
            return found
    return text_arrays([rows.names[file] for file in order.tolist()])
