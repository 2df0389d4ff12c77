"""Settings of approximate search (IVF): when it is used, its number of cells, and its measured recall."""

import json
import math
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from clipsearch.errors import InputError, VectorIndexError

# Threshold of `--ann auto`: from this number of rows on an IVF index is built. An exact search of them takes 100 ms.
AUTO_ROWS = 2_000_000

# Mean index_recall@10 that `nprobe` is tuned to.
TARGET_RECALL = 0.99

# Largest number that `_SPEC` matches.
_MAX_CELLS = 9_999_999

# Far above what tuning finds: a larger number in a sidecar would only take memory.
_MAX_RESCORED = 100_000

Codes = Literal["SQfp16", "SQ4"]
"""What the cells hold of a row: all of it (`indexes.ivf`), or a code of 4 bits a number (`indexes.ivf_codes`)."""

_SPEC = re.compile(rf"IVF([1-9]\d{{0,6}}),({'|'.join(get_args(Codes))})")


@dataclass(frozen=True, slots=True)
class Cells:
    """Kind of an IVF index.

    Attributes:
        nlist: number of cells.
        codes: what they hold.
    """

    nlist: int
    codes: Codes

    @property
    def spec(self) -> str:
        """FAISS factory string of the index."""
        return f"IVF{self.nlist},{self.codes}"


@dataclass(frozen=True, slots=True)
class Tuning:
    """Search settings of an IVF index and their recall on held-out queries.

    Attributes:
        nlist: number of cells.
        nprobe: number of cells that a search probes.
        trained_rows: rows of the index when its cells were trained.
        text_recall, picture_recall: index_recall@10 of texts, and of pictures of the catalog, which don't count as
            their own neighbours.
        codes: what the cells hold.
        rescored: rows that a search for ten hits scores exactly after a first look at codes; 0 without codes.
    """

    nlist: int
    nprobe: int
    trained_rows: int
    text_recall: float
    picture_recall: float
    codes: Codes = "SQfp16"
    rescored: int = 0

    @property
    def cells(self) -> Cells:
        """Kind of the index."""
        return Cells(self.nlist, self.codes)

    def to_dict(self) -> dict[str, Any]:
        """Return the values that JSON holds: those about codes only where there are codes, as in older files."""
        values = asdict(self)
        if self.codes == "SQfp16":
            del values["codes"], values["rescored"]
        return values

    def to_json(self) -> str:
        """Encode the tuning as JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Decode a tuning from JSON.

        Raises:
            VectorIndexError: the text is not a valid tuning.
        """
        try:
            found = cls(**json.loads(text))
            numbers, recalls = (
                (found.nlist, found.nprobe, found.trained_rows, found.rescored),
                (found.text_recall, found.picture_recall),
            )
            is_right = (
                all(isinstance(each, int) for each in numbers)
                and all(isinstance(each, int | float) and 0 <= each <= 1 for each in recalls)
                and 1 <= found.nprobe <= found.nlist <= _MAX_CELLS
                and found.codes in get_args(Codes)
                and (0 if found.codes == "SQfp16" else 1) <= found.rescored <= _MAX_RESCORED
            )
        except (ValueError, TypeError, RecursionError) as error:
            raise VectorIndexError(f"invalid search settings of an index: {text[:80]}") from error
        if not is_right:
            raise VectorIndexError(f"invalid search settings of an index: {text[:80]}")
        return found


def is_tuning(text: str | None) -> bool:
    """Return whether a text is a valid tuning; also True for None, an exact index."""
    try:
        return text is None or bool(Tuning.from_json(text))
    except VectorIndexError:
        return False


def check_ann(ann: str) -> str | None:
    """Parse `--ann` to the form that the catalog stores: "off", a kind of cells, or None for "auto".

    Raises:
        InputError: it is none of these.
    """
    if ann.lower() == "auto":
        return None
    if ann.lower() == "off":
        return "off"
    if not _SPEC.fullmatch(ann):
        raise InputError(f"--ann takes auto, off, or a number of cells as in IVF1024,SQ4 or IVF1024,SQfp16; not {ann}")
    return ann


# Cells, as a multiple of the square root of the rows. Measured on 400,000 rows like those of CLIP: a recall of 0.98 on
# texts needs 4.2 % of 1,024 cells, and 1.6 % of 4,096, which take four times as long to train.
_CELLS = 2.5


def usual_nlist(count: int) -> int:
    """Return the default number of cells for a number of rows; a power of two."""
    return int(2 ** round(math.log2(_CELLS * math.sqrt(count))))


def usual_cells(count: int) -> Cells:
    """Return the default kind of index for a number of rows."""
    return Cells(usual_nlist(count), "SQ4")


def find_cells(ann: str) -> Cells | None:
    """Return the kind of index that a stored `--ann` value names; None for "off"."""
    match = _SPEC.fullmatch(ann)
    if match is None:
        return None
    return Cells(int(match[1]), "SQ4" if match[2] == "SQ4" else "SQfp16")
