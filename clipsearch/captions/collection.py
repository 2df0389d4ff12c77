"""Store, list and delete the captions of a catalog."""

import builtins
from collections.abc import Sequence
from dataclasses import dataclass

from clipsearch.session.session import Session
from clipsearch.text import as_list, check_text


@dataclass(frozen=True, slots=True)
class CaptionsReport:
    """Result of adding captions: number of new captions, and of captions that were stored already."""

    added: int
    known: int


class CaptionCollection:
    """`Catalog.captions`: the stored captions, without duplicates."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.describe()}>"

    def add(self, texts: str | Sequence[str]) -> CaptionsReport:
        """Store and embed captions; empty ones are ignored.

        Raises:
            QueryError: a caption is not valid text.
            ModelUnavailableError: the model's files are not cached and can't be downloaded.
        """
        from clipsearch.captions.embedding import embed_captions

        stripped = [text.strip() for text in as_list(texts) if text.strip()]
        for text in stripped:
            check_text(text, "caption")
        store, model = self._session.store, self._session.model
        model_id = model.row.model_id
        added = store.captions.add(stripped)
        embed_captions(store, model.encoder, model_id=model_id)
        self._session.refresh("captions")
        return CaptionsReport(added=added, known=len(stripped) - added)

    def list(self) -> builtins.list[str]:
        """List all captions in insertion order."""
        return self._session.store.captions.list_all()

    def remove(self, texts: str | Sequence[str] | None = None) -> int:
        """Delete captions, all of them for None; return the number deleted."""
        selected = None if texts is None else as_list(texts)
        for text in selected or ():
            check_text(text, "caption")
        return self._session.store.captions.remove(selected)
