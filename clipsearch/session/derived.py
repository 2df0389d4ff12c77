"""Keep what is derived from the store in step with it: what is in memory follows its changes, by their numbers."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from clipsearch.notices import notify
from clipsearch.store import Store
from clipsearch.store.column_rows import ColumnState

Content = TypeVar("Content")
Value = TypeVar("Value")

REBUILT = "rebuilt from the catalog"
"""Ending of every notice about a damaged file."""


class Derived(ABC, Generic[Content]):
    """Thread-safe; it stays current while others write. The file that it may have is not trusted.

    Attributes:
        damage: what questions raise where the file is damaged.
    """

    damage: ClassVar[tuple[type[Exception], ...]]

    def __init__(self, store: Store, folder: Path) -> None:
        """Take the store.

        Args:
            folder: of the index files.
        """
        self._store, self._folder = store, folder
        self._content: Content | None = None
        self._made_from = self._last_change = -1
        self._lock = threading.Lock()

    @abstractmethod
    def _open(self, state: ColumnState) -> Content:
        """Open the file, with the changes since; build it where there is none or it is stale."""

    @abstractmethod
    def _follow(self, content: Content) -> Content:
        """Return the content with the changes since the last ones."""

    @abstractmethod
    def _build(self) -> Content:
        """Make the content from SQL."""

    @abstractmethod
    def _describe_damage(self, error: Exception) -> str | None:
        """Return what a notice says of a damaged file; None: nothing."""

    def ask(self, question: Callable[[Content], Value]) -> Value:
        """Return what a question says about the current content; a file that turns out to be damaged is rebuilt."""
        content = self.get()
        try:
            return question(content)
        except self.damage as error:
            described = self._describe_damage(error)
            if described is not None:
                notify(f"{described}: {REBUILT}")
            return question(self._rebuilt(content))

    def get(self) -> Content:
        """Return the content, with all changes by now."""
        with self._lock:
            state, content = self._store.column_rows.state(), self._content
            if content is None or state.stale_before > self._made_from or state.last_change < self._last_change:
                content = self._open(state)  # the last: a database was put back
            elif state.last_change != self._last_change:
                content = self._follow(content)
            self._content = content
            return content

    def release(self) -> None:
        """Release the content and its file; questions that are going on keep them."""
        with self._lock:
            self._content = None

    def _rebuilt(self, damaged: Content) -> Content:
        with self._lock:
            content = self._content
            if content is None or content is damaged:
                content = self._content = self._build()
            return content
