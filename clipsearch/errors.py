"""Define the exceptions of the library, their exit codes and their public messages.

ClipSearchError
├── InputError              a folder, file or argument that is invalid
│   ├── QueryError          an empty or invalid query
│   │   ├── QuerySyntaxError    a query that can't be parsed, with the position of the error
│   │   ├── UnknownPictureError no picture has this id
│   │   ├── UnknownConceptError no concept, or saved search, has this name
│   │   └── UnknownAlbumError   no album has this name
│   └── NameTakenError      something else has this name
├── MissingExtraError       an optional package that is not installed
├── ImageReadError          a picture that can't be read or decoded
│   └── TransientReadError      a temporary failure: out of memory, disk error; worth a retry
├── ModelError              a model that can't be loaded or is incompatible
│   └── ModelUnavailableError   its files are not cached and the hub can't be reached
├── RunnerError             a cluster runner, such as Ray, failed
├── ServiceError            the system's manager of services is missing, or has refused
├── VectorIndexError        the nearest-neighbour index
│   └── IndexMismatchError  embeddings of another model or dimension
└── StoreError              the SQL store
    ├── CatalogNotFoundError
    ├── CatalogBusyError    another process holds the write lock
    ├── CatalogReplacedError    its file was deleted or replaced while it was open
    ├── SchemaOutdatedError the catalog was written by a newer clipsearch
    └── ForeignSchemaError  the catalog's file has a schema that clipsearch did not create

`exit_code` is the exit code of the command line for the error.

Information for the user that does not stop an operation is a notice, see `notices`.
"""


class ClipSearchError(Exception):
    """Base class of all errors; its message is one line: what failed, with which value, what to do next."""

    exit_code = 1


class InputError(ClipSearchError):
    exit_code = 2


class QueryError(InputError):
    pass


class QuerySyntaxError(QueryError):
    """A query that can't be parsed.

    Attributes:
        position: offset of the offending character in the query, from 0; the length of the query for its end.
    """

    def __init__(self, reason: str, query: str, position: int) -> None:
        place = query[position:].split(maxsplit=1)
        where = f"at character {position + 1}: {place[0][:40]}" if place else "at the end"
        super().__init__(f"{reason} ({where})")
        self.position = position


class UnknownPictureError(QueryError):
    """A content id that the catalog does not know, or whose files have all been removed."""

    def __init__(self, content_id: int) -> None:
        super().__init__(f"the catalog has no picture with the number {content_id}")


class UnknownConceptError(QueryError):
    pass


class UnknownAlbumError(QueryError):
    pass


class NameTakenError(InputError):
    pass


class MissingExtraError(ClipSearchError):
    """An optional package that is not installed.

    Args:
        purpose: what needs it, as the subject of a sentence in the singular.
        package: its name, or that of a module in it.
        requirement: what pip installs it by, where that is not its name.
    """

    def __init__(self, purpose: str, package: str, requirement: str | None = None) -> None:
        name = package.partition(".")[0]
        wanted = requirement or name
        quoted = wanted if wanted.replace("-", "").isalnum() else f"'{wanted}'"
        super().__init__(f"{purpose} needs {name}, which is not installed: pip install {quoted}")


class ImageReadError(ClipSearchError):
    """A picture that can't be read or decoded.

    Attributes:
        limit: the decoding limit that was exceeded and its value: "megapixels", "seconds" or "bytes"; None when the
            cause is the picture or the machine.
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


class ServiceError(ClipSearchError):
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
    """The open database file is no longer the catalog's: whatever is written to it would be lost."""


class SchemaOutdatedError(StoreError):
    pass


class ForeignSchemaError(StoreError):
    pass


def public_text(error: Exception) -> str:
    """Return the message of an error for a remote client, without paths of the server.

    Errors that are not about the request can hold paths of the catalog, of models and of caches: only their kind is
    named.
    """
    if isinstance(error, CatalogNotFoundError):
        return "nothing is indexed yet: run clipsearch index FOLDER"
    if isinstance(error, CatalogBusyError):
        return "the catalog is already being changed: try again when that is done"
    if isinstance(error, CatalogReplacedError):
        return "the catalog was deleted or replaced while it was open: start clipsearch again"
    if isinstance(error, InputError | ImageReadError | MissingExtraError):
        return str(error)
    kind = next((name for known, name in _PUBLIC_NAMES if isinstance(error, known)), type(error).__name__)
    return f"{kind}; see the log of clipsearch"


def first_line(error: Exception) -> str:
    """Return the first line of another library's error message, or the name of its type when it is empty."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


_PUBLIC_NAMES: tuple[tuple[type[Exception], str], ...] = (
    (ModelError, "the model can't be used"),
    (VectorIndexError, "the index can't be used"),
    (StoreError, "the catalog can't be used"),
    (OSError, "the operating system reported an error"),
)


class ClipSearchNotice(UserWarning):
    """A notice as a warning, for programs that opt in, see `notices.WarningsHandler`."""
