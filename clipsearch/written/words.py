"""Documents of a catalog as of its last change: those of a file, and those that have changed since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clipsearch.written.documents import FIELDS, Document
from clipsearch.written.table import WrittenTable


def _no_ids() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class WrittenWords:
    """Searchable documents of all pictures with a file.

    Attributes:
        newer: documents that have changed, in memory; all of them, where few pictures have no file.
        file: the others; None without a file.
        changed: ids (n,), sorted, whose documents in the file are stale.
    """

    newer: WrittenTable
    file: WrittenTable | None = None
    changed: NDArray[np.int64] = field(default_factory=_no_ids)

    def find(self, parts: Sequence[str], most: int = -1, fields: Sequence[str] = FIELDS) -> NDArray[np.int64]:
        """Return the ids (n,), sorted, of documents that have all parts, see `WrittenTable.find`.

        Args:
            most: where more have them, any of them are returned, more than this number; -1: all.
        """
        newer = self.newer.find(parts, most + 1 if most >= 0 else -1, fields)
        if self.file is None:
            return newer
        ids = self.file.find(parts, most + 1 + len(self.changed) if most >= 0 else -1, fields)
        return np.union1d(ids[~np.isin(ids, self.changed)], newer)

    def documents(self, ids: Sequence[int]) -> Mapping[int, Document]:
        """Return documents by content id; unknown ones are left out."""
        found = self.newer.documents(ids)
        if self.file is not None:
            stale = set(self.changed.tolist()) if len(self.changed) else set()
            found |= self.file.documents([number for number in ids if number not in stale and number not in found])
        return found

    def with_changes(self, content_ids: Sequence[int], documents: Mapping[int, Document]) -> "WrittenWords":
        """Return the words after some contents have changed.

        Args:
            documents: those that they have now; a content without a file has none.
        """
        self.newer.replace(content_ids, documents)
        if self.file is None:
            return self
        changed = np.union1d(self.changed, np.array(content_ids, dtype=np.int64))
        return WrittenWords(self.newer, self.file, changed)
