"""The sets of labels of a catalog, and what fits its pictures of them."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from clipsearch.errors import QueryError
from clipsearch.labels.sets import check_name, find_labels
from clipsearch.paths import absolute_folders
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.session.session import Session
from clipsearch.text import check_top_k
from clipsearch.types import LabelHit, LabelledPicture

if TYPE_CHECKING:
    from clipsearch.encoders.embed_image import Picture


class LabelCollection:
    """`Catalog.labels`: sets of labels that were added or come along, and what fits a picture of one."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, name: str, labels: Sequence[str]) -> int:
        """Store a set of labels, in the place of one of the same name; returns how many are in it.

        Raises:
            InputError: it is the name of a set that comes along, or no name.
            QueryError: there are none, or one is empty.
        """
        check_name(name)
        found = find_labels([" ".join(label.split()) for label in labels], None)
        self._session.store.labels.set(name, found)
        return len(found)

    def get(self, name: str) -> list[str]:
        """Get the labels of a set in their order.

        Raises:
            QueryError: there is no such set.
        """
        return find_labels(name, self._session.store)

    def names(self) -> dict[str, int]:
        """Map the name of each added set to its number of labels."""
        return self._session.store.labels.counts()

    def remove(self, name: str) -> bool:
        """Delete a set that was added; says whether there was one."""
        return self._session.store.labels.remove(name)

    def assign(
        self,
        picture: "Picture",
        labels: str | Sequence[str],
        *,
        top_k: int = 5,
        min_relevance: float = 0.0,
    ) -> list[LabelHit]:
        """Find what fits a picture or its embedding of a set of labels, the most relevant first.

        Args:
            labels: the name of a set, one of `data.BUILT_IN` or one that was added; or the labels themselves.

        Raises:
            QueryError: there is no such set, or `top_k` or `min_relevance` is out of range.
            ImageReadError: the picture can't be read.
        """
        import numpy as np

        from clipsearch.encoders.embed_image import embed_picture
        from clipsearch.labels.assign import label_space

        _check(top_k, min_relevance)
        space = label_space(labels, self._session)
        images = embed_picture(picture, encoder=self._session.model.encoder)[np.newaxis]
        return space.name(images, top_k=top_k, min_relevance=min_relevance)[0]

    def assign_all(
        self,
        *folders: str | os.PathLike[str],
        labels: str | Sequence[str],
        top_k: int = 5,
        min_relevance: float = DEFAULT_CUTOFF,
    ) -> Iterator[LabelledPicture]:
        """Find what fits the indexed pictures, those below the folders or all, in the order they were indexed.

        Args:
            labels: as in `assign`.
            min_relevance: what is less relevant is left out, so that some pictures have no labels at all.

        Raises:
            CatalogNotFoundError: nothing was ever indexed.
            QueryError: as in `assign`.
        """
        import numpy as np

        from clipsearch.labels.assign import label_space

        session, below = self._session, absolute_folders(folders)
        _check(top_k, min_relevance)
        session.require_pictures()
        space = label_space(labels, session)
        paths: dict[int, list[str]] = {}
        for file in session.store.reader.files_below(below):
            paths.setdefault(file.content_id, []).append(file.path)
        row = session.model.row
        for rows in session.store.reader.rows_after("images", model_id=row.model_id, dim=row.dim):
            is_below = np.fromiter((content_id in paths for content_id in rows.ids.tolist()), np.bool_, len(rows.ids))
            named = space.name(rows.embeddings[is_below], top_k=top_k, min_relevance=min_relevance)
            for content_id, hits in zip(rows.ids[is_below].tolist(), named, strict=True):
                for path in paths[content_id]:
                    yield LabelledPicture(path, content_id, tuple(hits))


def _check(top_k: int, min_relevance: float) -> None:
    check_top_k(top_k)
    if not 0 <= min_relevance <= 1:
        raise QueryError(f"min_relevance lies between 0 and 1, got {min_relevance}")
