"""Define the records of duplicate pictures."""

from dataclasses import dataclass
from typing import Literal

from clipsearch.search.hits import SearchHit

GroupKind = Literal["exact", "copy", "similar"]
"""exact: identical content. copy: derived from the first one (smaller, compressed, slightly cropped, rotated, grey or
the like), which shows all that it shows. similar: frames of a burst, other versions; each shows something else."""


@dataclass(frozen=True, slots=True)
class NearDuplicate(SearchHit):
    """A picture that is a duplicate of another one.

    Attributes:
        kind: "copy" or "similar": relation of the worse of the two to the better one.
    """

    kind: GroupKind = "similar"


@dataclass(frozen=True, slots=True)
class DuplicatePicture:
    """A file in a group of duplicates.

    Attributes:
        path: absolute.
        content_id: SQL key; files with equal ids have identical content.
        width, height: in pixels, of the upright picture.
        size_bytes: size of the file.
        score: cosine to the first of the group, 1 for the first itself.
        kind: relation to the first: "exact", "copy" or "similar"; the first itself is "best".
    """

    path: str
    content_id: int
    width: int
    height: int
    size_bytes: int
    score: float
    kind: Literal["best"] | GroupKind


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Group of at least two duplicate files, the best first.

    The first has the most pixels, then colour, then the most of date, camera and place, then the most bytes. A file is
    in at most one group of exact ones or copies; the first of such a group may also be in a group of similar ones.

    Attributes:
        kind: a group of copies may contain exact ones as well.
        reason: why the first is the best, as in "most pixels, then largest file".
    """

    kind: GroupKind
    pictures: tuple[DuplicatePicture, ...]
    reason: str = ""

    @property
    def best(self) -> DuplicatePicture:
        """The file to keep."""
        return self.pictures[0]

    @property
    def spare(self) -> tuple[DuplicatePicture, ...]:
        """Files that can be deleted without loss: all but the first; none of similar pictures."""
        return () if self.kind == "similar" else self.pictures[1:]

    @property
    def spare_bytes(self) -> int:
        return sum(picture.size_bytes for picture in self.spare)
