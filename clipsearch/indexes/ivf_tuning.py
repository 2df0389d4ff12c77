"""When a search compares a query with a part of the pictures only, and how well that finds them."""

import json
import math
import re
from dataclasses import asdict, dataclass
from typing import Self

from clipsearch.errors import InputError, VectorIndexError

# From so many rows on an index is built, unless the user says otherwise: comparing with all of 2,000,000 takes 100 ms.
AUTO_ROWS = 2_000_000

# The part of the ten nearest that a search has to find at least, on average.
TARGET_RECALL = 0.99

# What `_SPEC` takes.
_MAX_CELLS = 9_999_999

_SPEC = re.compile(r"IVF([1-9]\d{0,6}),SQfp16")


@dataclass(frozen=True, slots=True)
class Tuning:
    """How an index is searched and what that was measured to find, on queries that it was not tuned on.

    Attributes:
        nlist: cells.
        nprobe: cells that a search looks into.
        trained_rows: in the index when its cells were made.
        text_recall, picture_recall: index_recall@10, of texts and of pictures of the catalog, which are not counted as
            their own neighbours.
    """

    nlist: int
    nprobe: int
    trained_rows: int
    text_recall: float
    picture_recall: float

    @property
    def spec(self) -> str:
        return f"IVF{self.nlist},SQfp16"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """
        Raises:
            VectorIndexError: it is none.
        """
        try:
            found = cls(**json.loads(text))
            numbers, recalls = (
                (found.nlist, found.nprobe, found.trained_rows),
                (found.text_recall, found.picture_recall),
            )
            is_right = (
                all(isinstance(each, int) for each in numbers)
                and all(isinstance(each, int | float) and 0 <= each <= 1 for each in recalls)
                and 1 <= found.nprobe <= found.nlist <= _MAX_CELLS
            )
        except (ValueError, TypeError, RecursionError) as error:
            raise VectorIndexError(f"can't read how an index is searched: {text[:80]}") from error
        if not is_right:
            raise VectorIndexError(f"can't read how an index is searched: {text[:80]}")
        return found


def is_tuning(text: str | None) -> bool:
    """True for nothing as well: all rows are compared."""
    try:
        return text is None or bool(Tuning.from_json(text))
    except VectorIndexError:
        return False


def check_ann(ann: str) -> str | None:
    """What the user wants as the catalog keeps it: "off", a number of cells, or None for "auto".

    Raises:
        InputError: none of these.
    """
    if ann.lower() == "auto":
        return None
    if ann.lower() == "off":
        return "off"
    if not _SPEC.fullmatch(ann):
        raise InputError(f"--ann takes auto, off, or a number of cells as in IVF1024,SQfp16; not {ann}")
    return ann


# Cells, times the root of the number of rows. Measured on 400,000 rows like those of CLIP: 0.98 of texts' neighbours
# take 4.2 % of 1,024 cells and 1.6 % of 4,096, which take four times as long to make.
_CELLS = 2.5


def usual_nlist(count: int) -> int:
    """For so many rows; a power of two."""
    return int(2 ** round(math.log2(_CELLS * math.sqrt(count))))


def nlist_of(ann: str) -> int | None:
    """The cells that the user wants; None for "off"."""
    match = _SPEC.fullmatch(ann)
    return int(match[1]) if match else None
