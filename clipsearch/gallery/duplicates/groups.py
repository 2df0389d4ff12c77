"""What pictures that are there more than once are given as."""

from dataclasses import dataclass
from typing import Literal

from clipsearch.search.hits import SearchHit

GroupKind = Literal["exact", "copy", "similar"]
"""exact: the very same content. copy: made of the first, smaller, compressed, cut a little, turned, grey or the like;
the first shows all that they show. similar: frames of a burst, other versions; each shows something of its own."""


@dataclass(frozen=True, slots=True)
class NearDuplicate(SearchHit):
    """A picture that shows the same as another one.

    Attributes:
        kind: "copy" or "similar": what the worse of the two is to the better one.
    """

    kind: GroupKind = "similar"


@dataclass(frozen=True, slots=True)
class DuplicatePicture:
    """A file in a group of pictures that are the same, exactly or nearly.

    Attributes:
        path: absolute.
        content_id: the catalog's number; equal ones are the very same content.
        width, height: of the upright picture.
        size_bytes: of the file.
        score: cosine to the first of the group, 1 for that one.
        kind: what it is to the first: "exact", "copy" or "similar"; the first itself is "best".
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
    """Files that show the same, two at least. The first has the most pixels, then colour, then most of date, camera and
    place, then the most bytes.

    A file is in one group of exact or other copies at most; the first of such a group may be in one of similar
    pictures too.

    Attributes:
        kind: a group of copies may hold exact ones as well.
    """

    kind: GroupKind
    pictures: tuple[DuplicatePicture, ...]

    @property
    def spare(self) -> tuple[DuplicatePicture, ...]:
        """All but the first, of which nothing is lost without them; none of similar pictures."""
        return () if self.kind == "similar" else self.pictures[1:]

    @property
    def spare_bytes(self) -> int:
        return sum(picture.size_bytes for picture in self.spare)
