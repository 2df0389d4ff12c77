"""Tell what pictures with text are, by their text and by labels that the catalog's model finds in them."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import ClipSearchError
from clipsearch.labels.assign import label_space_of_model
from clipsearch.notices import notify
from clipsearch.ocr.kinds import LABELS, TextPicture, kind_of
from clipsearch.scoring.labels import LabelSpace
from clipsearch.session.session import Session


class KindTeller:
    """Tells kinds, with the embeddings of a catalog."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @cached_property
    def _labels(self) -> LabelSpace | None:
        try:
            return label_space_of_model(LABELS, self._session.model)
        except ClipSearchError as error:
            notify(f"{error}: screenshots, receipts, documents and whiteboards are not told apart")
            return None

    def tell(self, pictures: Mapping[int, TextPicture]) -> dict[int, str | None]:
        """Return the kind of contents, one of `TEXT_KINDS` or None."""
        relevances = self._relevances([number for number, each in pictures.items() if each.look is not None])
        return {number: kind_of(each, relevances.get(number)) for number, each in pictures.items()}

    def _relevances(self, content_ids: list[int]) -> dict[int, NDArray[np.float64]]:
        if not content_ids or self._labels is None:
            return {}
        row = self._session.model.row
        embeddings = self._session.store.reader.embeddings(content_ids, model_id=row.model_id, dim=row.dim)
        if not embeddings:
            return {}
        found = self._labels.relevances(np.stack(list(embeddings.values())))
        return dict(zip(embeddings, found, strict=True))
