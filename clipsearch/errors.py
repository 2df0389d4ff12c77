"""Every error the library raises on purpose, and the notices it gives.

ClipSearchError
├── InputError              a folder, file or argument that can't be used
│   └── QueryError          an empty query, a query that can't be answered
│       ├── QuerySyntaxError    one that can't be understood; says where
│       └── UnknownPictureError no picture has that number
├── MissingExtraError       a package that is not installed; says which
├── ImageReadError          one picture that can't be read or decoded
│   └── TransientReadError      for now: memory ran out, the disk failed
├── ModelError              a model that can't be loaded or does not fit
│   └── ModelUnavailableError   its files are not here and the hub can't be reached
├── RunnerError             the machines that were to share the work
├── VectorIndexError        the nearest-neighbour index
│   └── IndexMismatchError  embeddings of another model or dimension
└── StoreError              the SQL store
    ├── CatalogNotFoundError
    ├── CatalogBusyError    another process is changing it
    ├── CatalogReplacedError    it was deleted or replaced while it was open
    ├── SchemaOutdatedError the catalog was written by a newer clipsearch
    └── ForeignSchemaError  the catalog's file holds what clipsearch does not make

`exit_code` is what the command line returns for the error.

What the user should know and that stops nothing is a notice, see `notices`.
"""


class ClipSearchError(Exception):
    """Base of all errors; its text is one line that says what failed, with which value, and what to do next."""

    exit_code = 1


class InputError(ClipSearchError):
    exit_code = 2


class QueryError(InputError):
    pass


class QuerySyntaxError(QueryError):
    """
    Attributes:
        position: of the character in the query, from 0, that the text is about; its length for the end.
    """

    def __init__(self, reason: str, query: str, position: int) -> None:
        place = query[position:].split(maxsplit=1)
        where = f"at character {position + 1}: {place[0][:40]}" if place else "at the end"
        super().__init__(f"{reason} ({where})")
        self.position = position


class UnknownPictureError(QueryError):
    """The catalog has no picture with that number, or none with a file any more."""

    def __init__(self, content_id: int) -> None:
        super().__init__(f"the catalog has no picture with the number {content_id}")


class MissingExtraError(ClipSearchError):
    pass


class ImageReadError(ClipSearchError):
    """
    Attributes:
        limit: of this run, which it went beyond: "megapixels", "seconds" or "bytes", and how many; None: it is the
            picture's own fault, or the machine's.
    """

    def __init__(self, reason: str, *, limit: tuple[str, float] | None = None) -> None:
        super().__init__(reason)
        self.limit = limit


class TransientReadError(ImageReadError):
    pass


class ModelError(ClipSearchError):
    pass


class ModelUnavailableError(ModelError):
    exit_code = 4


class RunnerError(ClipSearchError):
    pass


class VectorIndexError(ClipSearchError):
    pass


class IndexMismatchError(VectorIndexError):
    pass


class StoreError(ClipSearchError):
    pass


class CatalogNotFoundError(StoreError):
    exit_code = 3


class CatalogBusyError(StoreError):
    pass


class CatalogReplacedError(StoreError):
    """The file that is open is not the catalog's any more: what is written to it would be lost."""


class SchemaOutdatedError(StoreError):
    pass


class ForeignSchemaError(StoreError):
    pass


def public_text(error: Exception) -> str:
    """What may be told to somebody who asks over the network or through an assistant: errors that are not about what
    was asked can hold paths of the catalog, of models and of caches, and are named only."""
    if isinstance(error, CatalogNotFoundError):
        return "nothing is indexed yet: clipsearch index FOLDER"
    if isinstance(error, CatalogBusyError):
        return "the catalog is being changed already: try again when that is done"
    if isinstance(error, CatalogReplacedError):
        return "the catalog was deleted or replaced while it was open: start clipsearch again"
    if isinstance(error, InputError | ImageReadError | MissingExtraError):
        return str(error)
    kind = next((name for known, name in _PUBLIC_NAMES if isinstance(error, known)), type(error).__name__)
    return f"{kind}; the log of clipsearch has more"


def first_line(error: Exception) -> str:
    """What another library's error says, for a text of one line; its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


_PUBLIC_NAMES: tuple[tuple[type[Exception], str], ...] = (
    (ModelError, "the model can't be used"),
    (VectorIndexError, "the index can't be used"),
    (StoreError, "the catalog can't be used"),
    (OSError, "the system failed"),
)


class ClipSearchNotice(UserWarning):
    """A notice as a warning: of programs that have asked for them so, see `notices.WarningsHandler`."""
