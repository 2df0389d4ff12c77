"""Columns of what is written about pictures: ratings, titles, and the names that pictures are listed under.

Arrays of a segment of n pictures, of which any number are described:
    rating: int8 (n,), 1 to 5 or -1; `UNRATED`.
    caption.rows: rows with a caption. text.rows: rows in which text was read.
    title.rows: rows with a title; title.*: `TextColumn` of these, folded.
    tag.*, person.*, label.*, creator.*, kind.*, where.*: `Listing`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.text import TextColumn
from clipsearch.columns.text_index import text_arrays
from clipsearch.columns.values import pack_names, places_of, unpack_names
from clipsearch.description import LEVELS, Description
from clipsearch.description import UNRATED as NO_STARS
from clipsearch.formats import TEXT_KINDS
from clipsearch.query.globs import folded

LISTINGS = ("tag", "person", "label", "creator", "kind", "where")
"""Names that pictures are listed under: by the key of their filter, and `where` by `written_place`."""

UNRATED = np.iinfo(np.int8).min
"""Rating of what is not rated; no rating is as low."""

Arrays = Mapping[str, NDArray[Any]]


class Listing:
    """Rows of pictures by the names that they are listed under; a picture may have several.

    Arrays, their names after that of the listing and a point:
        names: the different names, as JSON in UTF-8, sorted.
        starts: int64 (len(names) + 1,), where the rows of each name begin.
        rows: uint32, of all names one after the other, growing for each.
    """

    def __init__(self, arrays: Arrays, name: str) -> None:
        self._arrays, self._name = arrays, name

    @cached_property
    def names(self) -> list[str]:
        return unpack_names(self._arrays[f"{self._name}.names"])

    @cached_property
    def folded(self) -> list[str]:
        """The names as filters compare them."""
        return [folded(name).decode("utf-8", "replace") for name in self.names]

    @property
    def rows(self) -> NDArray[np.uint32]:
        return self._arrays[f"{self._name}.rows"]

    @property
    def _starts(self) -> NDArray[np.int64]:
        return self._arrays[f"{self._name}.starts"]

    def rows_of(self, numbers: Sequence[int]) -> NDArray[np.int64]:
        """Return the rows that some names, by their number, list; a row may occur several times."""
        starts = self._starts
        parts = [self.rows[int(starts[number]) : int(starts[number + 1])] for number in numbers]
        return np.concatenate([np.empty(0, dtype=np.uint32), *parts]).astype(np.int64)

    def entries(self, is_kept: NDArray[np.bool_]) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
        """Return the names, and the number of the name and the row of each entry of the rows (n,) that are kept."""
        numbers = np.repeat(np.arange(len(self.names)), np.diff(self._starts))
        rows = self.rows.astype(np.int64)
        kept = is_kept[rows]
        return self.names, numbers[kept], rows[kept]

    def count(self, is_chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the number of chosen rows (n,) that each name lists."""
        starts, rows = self._starts, self.rows
        counts = np.diff(starts)
        used = np.flatnonzero(counts)
        if len(used):
            counts[used] = np.add.reduceat(is_chosen.view(np.uint8).take(rows), starts[used], dtype=np.int32)
        return counts

    @cached_property
    def spellings(self) -> "Spellings":
        """Which names differ in case alone."""
        number_of: dict[str, int] = {}
        groups = [number_of.setdefault(name.casefold(), len(number_of)) for name in self.names]
        return Spellings(np.array(groups, dtype=np.int64), number_of)


class Spellings(NamedTuple):
    """Groups of names that differ in case alone.

    Attributes:
        group_of_name: number of the group of each name.
        number_of: number of a group by the folded name.
    """

    group_of_name: NDArray[np.int64]
    number_of: dict[str, int]


def written_place(described: Description) -> str | None:
    """Return the place names of a description from the country down, separated by `LEVELS`; None without any."""
    names = (described.country, described.region, described.city, described.location)
    return LEVELS.join(name.replace(LEVELS, " ") for name in names if name) or None


@dataclass(slots=True)
class _Entries:
    """Entries of a listing that are gathered: the number of each name, and numbers and content ids of the entries."""

    number_of: dict[str, int] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)

    def add(self, content_id: int, names: Sequence[str]) -> None:
        for name in names:
            self.numbers.append(self.number_of.setdefault(name, len(self.number_of)))
            self.ids.append(content_id)

    def arrays(self, sorted_ids: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Return the arrays of a `Listing`, with the places of the contents among some that are sorted as rows."""
        names = sorted(self.number_of)
        place_of = np.empty(len(names), dtype=np.int64)
        place_of[[self.number_of[name] for name in names]] = np.arange(len(names))
        rows, is_known = places_of(self.ids, sorted_ids)
        numbers = place_of[np.array(self.numbers, dtype=np.int64)][is_known]
        order = np.lexsort((rows, numbers))
        numbers, rows = numbers[order], rows[order]
        is_first = np.ones(len(rows), dtype=np.bool_)
        is_first[1:] = (numbers[1:] != numbers[:-1]) | (rows[1:] != rows[:-1])
        counts = np.bincount(numbers[is_first], minlength=len(names))
        return {
            "names": pack_names(names),
            "starts": np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            "rows": rows[is_first].astype(np.uint32),
        }


@dataclass(slots=True)
class DescriptionRows:
    """Descriptions that are gathered, to make columns of; by content id, in any order."""

    ratings: dict[int, int] = field(default_factory=dict)
    titles: dict[int, bytes] = field(default_factory=dict)
    captions: list[int] = field(default_factory=list)
    texts: list[int] = field(default_factory=list)
    listings: dict[str, _Entries] = field(default_factory=lambda: {name: _Entries() for name in LISTINGS})

    def add(self, content_id: int, described: Description) -> None:
        if described.rating not in (None, NO_STARS):
            self.ratings[content_id] = described.rating or 0
        if described.title:
            self.titles[content_id] = folded(described.title)
        if described.caption:
            self.captions.append(content_id)
        self.listings["tag"].add(content_id, described.keywords)
        self.listings["person"].add(content_id, described.people)
        if described.label:
            self.listings["label"].add(content_id, (described.label,))
        if described.creator:
            self.listings["creator"].add(content_id, (described.creator,))
        if place := written_place(described):
            self.listings["where"].add(content_id, (place,))

    def add_text(self, content_id: int, *, has_lines: bool, kind: str | None) -> None:
        """Add what was read in a content; a kind that is none of `TEXT_KINDS` is left out."""
        if has_lines:
            self.texts.append(content_id)
        if kind in TEXT_KINDS:
            self.listings["kind"].add(content_id, (kind,))

    def add_columns(self, arrays: Arrays, is_kept: NDArray[np.bool_]) -> None:
        """Add the rows (n,) of a segment's arrays that are kept."""
        ids = arrays["ids"]
        rated = np.flatnonzero((arrays["rating"] != UNRATED) & is_kept)
        self.ratings.update(zip(ids[rated].tolist(), arrays["rating"][rated].tolist(), strict=True))
        rows = arrays["title.rows"]
        numbers = np.flatnonzero(is_kept[rows])
        titles = TextColumn(arrays, "title").take(numbers) if len(numbers) else []
        self.titles.update(zip(ids[rows[numbers]].tolist(), titles, strict=True))
        for gathered, name in ((self.captions, "caption.rows"), (self.texts, "text.rows")):
            gathered.extend(ids[arrays[name][is_kept[arrays[name]]]].tolist())
        for name, entries in self.listings.items():
            names, numbers, places = Listing(arrays, name).entries(is_kept)
            known = np.array([entries.number_of.setdefault(each, len(entries.number_of)) for each in names])
            if len(numbers):
                entries.numbers += known[numbers].tolist()
                entries.ids += ids[places].tolist()

    def arrays(self, ids: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Return the arrays of contents (n,), which grow; others are left out."""
        rating = np.full(len(ids), UNRATED, dtype=np.int8)
        places, is_known = places_of(list(self.ratings), ids)
        rating[places] = np.array(list(self.ratings.values()), dtype=np.int8)[is_known]
        titled, has_row = places_of(list(self.titles), ids)
        order = np.argsort(titled)
        titles = [title for title, is_there in zip(self.titles.values(), has_row.tolist(), strict=True) if is_there]
        captioned, with_text = (places_of(each, ids)[0] for each in (self.captions, self.texts))
        found: dict[str, NDArray[Any]] = {
            "rating": rating,
            "title.rows": titled[order].astype(np.uint32),
            "caption.rows": np.sort(captioned).astype(np.uint32),
            "text.rows": np.sort(with_text).astype(np.uint32),
        }
        text = text_arrays([titles[number] for number in order.tolist()])
        found |= {f"title.{name}": array for name, array in text.items()}
        for name, entries in self.listings.items():
            found |= {f"{name}.{key}": array for key, array in entries.arrays(ids).items()}
        return found
