"""Local, private semantic picture search: words to pictures, pictures to words.

>>> from clipsearch import Catalog
>>> with Catalog.open("my.catalog", create=True) as catalog:
...     catalog.index("photos")
...     hits = catalog.search("a glazed donut", top_k=5)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipsearch.catalog import Catalog
    from clipsearch.errors import (
        CatalogBusyError,
        CatalogNotFoundError,
        ClipSearchError,
        ClipSearchNotice,
        ImageReadError,
        IndexMismatchError,
        InputError,
        ModelError,
        ModelUnavailableError,
        QueryError,
        QuerySyntaxError,
        StoreError,
    )
    from clipsearch.grammar import Query, parse_query, words_query
    from clipsearch.images.remote import fetch_picture
    from clipsearch.maintenance.backups import restore_catalog
    from clipsearch.maintenance.doctor import check_catalog
    from clipsearch.types import (
        BackupReport,
        CaptionHit,
        CatalogStatus,
        CheckReport,
        FetchedPicture,
        Finding,
        GarbageReport,
        ImageMatch,
        IndexReport,
        RestoreReport,
        SearchHit,
        SkippedFile,
        TermScore,
    )

__version__ = "0.1.0"

__all__ = [
    "BackupReport",
    "CaptionHit",
    "Catalog",
    "CatalogBusyError",
    "CatalogNotFoundError",
    "CatalogStatus",
    "CheckReport",
    "ClipSearchError",
    "ClipSearchNotice",
    "FetchedPicture",
    "Finding",
    "GarbageReport",
    "ImageMatch",
    "ImageReadError",
    "IndexMismatchError",
    "IndexReport",
    "InputError",
    "ModelError",
    "ModelUnavailableError",
    "Query",
    "QueryError",
    "QuerySyntaxError",
    "RestoreReport",
    "SearchHit",
    "SkippedFile",
    "StoreError",
    "TermScore",
    "check_catalog",
    "fetch_picture",
    "parse_query",
    "restore_catalog",
    "words_query",
]

# Where what is neither an error nor a result lies.
_PLACES = {
    "Catalog": "catalog",
    "Query": "grammar",
    "check_catalog": "maintenance.doctor",
    "fetch_picture": "images.remote",
    "parse_query": "grammar",
    "restore_catalog": "maintenance.backups",
    "words_query": "grammar",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: `import clipsearch` alone stays cheap.
    if name not in __all__:
        raise AttributeError(f"module 'clipsearch' has no attribute {name!r}")
    from importlib import import_module

    place = _PLACES.get(name) or ("errors" if name.endswith(("Error", "Notice")) else "types")
    return getattr(import_module(f"clipsearch.{place}"), name)
