"""The part of a catalog that has to do with labels."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from clipsearch.paths import absolute_folders
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.session.session import CatalogParts
from clipsearch.types import LabelHit, LabelledPicture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.encoders.embed_image import PictureSource


class LabellingCatalog:
    """What `Catalog` does with labels; made by it alone."""

    _parts: CatalogParts

    def label(
        self,
        picture: "PictureSource | NDArray[np.float32]",
        labels: str | Sequence[str],
        *,
        top_k: int = 5,
        min_relevance: float = 0.0,
    ) -> list[LabelHit]:
        """What fits a picture or its embedding of a set of labels, the most relevant first.

        Args:
            labels: the name of a set: one of `label_sets.BUILT_IN`, or one that was added; or the labels themselves.

        Raises:
            QueryError: there is no such set, or `top_k` or `min_relevance` is out of range.
            ImageReadError: the picture can't be read.
        """
        from clipsearch.labels.assign import label_picture

        return label_picture(picture, labels, self._parts, top_k=top_k, min_relevance=min_relevance)

    def label_pictures(
        self,
        *folders: str | os.PathLike[str],
        labels: str | Sequence[str],
        top_k: int = 5,
        min_relevance: float = DEFAULT_CUTOFF,
    ) -> Iterator[LabelledPicture]:
        """What fits the indexed pictures, those below the folders or all of them, in the order they were indexed.

        Args:
            labels: as in `label`.
            min_relevance: what is less relevant is left out, so that some pictures have no labels at all.

        Raises:
            CatalogNotFoundError: nothing was ever indexed.
            QueryError: as in `label`.
        """
        from clipsearch.labels.assign import label_folders

        return label_folders(absolute_folders(folders), labels, self._parts, top_k=top_k, min_relevance=min_relevance)

    def add_labels(self, name: str, labels: Sequence[str]) -> int:
        """Stores a set of labels, in the place of one of the same name; returns how many are in it.

        Raises:
            InputError: it is the name of a set that comes along, or no name.
            QueryError: there are none, or one is empty.
        """
        from clipsearch.labels.sets import check_name, find_labels

        check_name(name)
        wanted = find_labels([" ".join(label.split()) for label in labels], None)
        self._parts.store.labels.set(name, wanted)
        return len(wanted)

    def find_labels(self, name: str) -> list[str]:
        """The labels of a set in their order.

        Raises:
            QueryError: there is no such set.
        """
        from clipsearch.labels.sets import find_labels

        return find_labels(name, self._parts.store)

    def label_sets(self) -> dict[str, int]:
        """How many labels each added set has, by name."""
        return self._parts.store.labels.counts()

    def remove_labels(self, name: str) -> bool:
        """Forgets a set that was added; says whether there was one."""
        return self._parts.store.labels.remove(name)
