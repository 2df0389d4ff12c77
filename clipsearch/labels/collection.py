"""Store the label sets of a catalog, and assign their labels to pictures."""

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
    """`Catalog.labels`: added and built-in label sets, and the assignment of their labels to pictures."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.describe()}>"

    def add(self, name: str, labels: Sequence[str]) -> int:
        """Store a label set, replacing one of the same name; return its number of labels.

        Raises:
            InputError: invalid name, or the name of a built-in set.
            QueryError: no labels, or an empty label.
        """
        check_name(name)
        found = find_labels([" ".join(label.split()) for label in labels], None)
        self._session.store.labels.set(name, found)
        return len(found)

    def get(self, name: str) -> list[str]:
        """Return the labels of a set, in order.

        Raises:
            QueryError: the set is unknown.
        """
        return find_labels(name, self._session.store)

    def names(self) -> dict[str, int]:
        """Return the number of labels of each added set, by name."""
        return self._session.store.labels.counts()

    def remove(self, name: str) -> bool:
        """Delete an added set; return whether there was one."""
        return self._session.store.labels.remove(name)

    def assign(
        self,
        picture: "Picture",
        labels: str | Sequence[str],
        *,
        top_k: int = 5,
        min_relevance: float = 0.0,
    ) -> list[LabelHit]:
        """Assign labels of a set to a picture or its embedding, the most relevant first.

        Args:
            labels: the name of a set, added or one of `data.BUILT_IN`; or the labels themselves.

        Raises:
            QueryError: the set is unknown, or `top_k` or `min_relevance` is out of range.
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
        """Assign labels to the indexed pictures below the folders, or to all; yield them in the order of indexing.

        Args:
            labels: as in `assign`.
            min_relevance: less relevant labels are omitted, so that some pictures have none.

        Raises:
            CatalogNotFoundError: no picture was ever indexed.
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
