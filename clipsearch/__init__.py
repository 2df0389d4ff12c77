"""Local, private semantic picture search: words to pictures, pictures to words.

>>> from clipsearch import Catalog
>>> with Catalog.open("my.catalog", create=True) as catalog:
...     catalog.index("photos")
...     hits = catalog.search("a glazed donut", top_k=5)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipsearch.captions.pairs import CaptionPair, CaptionPairs, read_caption_pairs
    from clipsearch.catalog import Catalog
    from clipsearch.description import Description, WrittenFacets
    from clipsearch.errors import (
        CatalogBusyError,
        CatalogNotFoundError,
        ClipSearchError,
        ClipSearchNotice,
        ImageReadError,
        IndexMismatchError,
        InputError,
        MissingExtraError,
        ModelError,
        ModelUnavailableError,
        NameTakenError,
        QueryError,
        QuerySyntaxError,
        RunnerError,
        StoreError,
        UnknownAlbumError,
        UnknownConceptError,
        UnknownPictureError,
        VectorIndexError,
    )
    from clipsearch.evaluation import (
        LabelQuality,
        QualityComparison,
        RelevanceQuality,
        RetrievalQuality,
        compare_models,
        evaluate_labels,
        evaluate_pairs,
        evaluate_relevance,
    )
    from clipsearch.evaluation.calibration import ReliabilityBin
    from clipsearch.evaluation.metrics import Difference, Estimate
    from clipsearch.gallery.clusters import PictureCluster
    from clipsearch.gallery.contact_sheet import write_contact_sheet
    from clipsearch.gallery.curation import RepresentativePicture, UnusualPicture
    from clipsearch.gallery.details import CatalogFacets, OnThisDay, PictureDetails
    from clipsearch.gallery.duplicates import ComparedProperty, DuplicateGroup, DuplicatePicture, NearDuplicate
    from clipsearch.gallery.events import Event, EventPage
    from clipsearch.gallery.heat_map import HeatMap, draw_heat_map
    from clipsearch.gallery.keywords import KeywordReport
    from clipsearch.gallery.summaries import PictureRecord, PictureSummary
    from clipsearch.images.remote.fetch import fetch_picture
    from clipsearch.indexing.options import IndexOptions
    from clipsearch.maintenance.backups import restore_catalog
    from clipsearch.maintenance.doctor import check_catalog
    from clipsearch.maintenance.reports import BackupReport, CheckReport, Finding, RestoreReport
    from clipsearch.ocr.lines import TextLine
    from clipsearch.query import Query, parse_query, words_query
    from clipsearch.scoring.relevance import DEFAULT_CUTOFF
    from clipsearch.search.hits import SearchHit, TermScore
    from clipsearch.search.narrowing import NarrowerQuery, Suggestions
    from clipsearch.search.paging import SearchPage
    from clipsearch.session.map_file import MapRegion, PictureMap
    from clipsearch.store.album_rows import Album
    from clipsearch.store.records import SavedSearch
    from clipsearch.transfer.export import ExportReport
    from clipsearch.transfer.imports import ImportReport
    from clipsearch.types import (
        CaptionHit,
        CatalogStatus,
        Concept,
        CurrentRun,
        FetchedPicture,
        ForgetReport,
        GarbageReport,
        ImageMatch,
        ImageMetadata,
        IndexReport,
        LabelHit,
        LabelledPicture,
        ModelOptions,
        PartialFile,
        SkippedFile,
        TextReport,
    )

from clipsearch.version import __version__ as __version__

__all__ = [
    "DEFAULT_CUTOFF",
    "Album",
    "BackupReport",
    "CaptionHit",
    "CaptionPair",
    "CaptionPairs",
    "Catalog",
    "CatalogBusyError",
    "CatalogFacets",
    "CatalogNotFoundError",
    "CatalogStatus",
    "CheckReport",
    "ClipSearchError",
    "ClipSearchNotice",
    "ComparedProperty",
    "Concept",
    "CurrentRun",
    "Description",
    "Difference",
    "DuplicateGroup",
    "DuplicatePicture",
    "Estimate",
    "Event",
    "EventPage",
    "ExportReport",
    "FetchedPicture",
    "Finding",
    "ForgetReport",
    "GarbageReport",
    "HeatMap",
    "ImageMatch",
    "ImageMetadata",
    "ImageReadError",
    "ImportReport",
    "IndexMismatchError",
    "IndexOptions",
    "IndexReport",
    "InputError",
    "KeywordReport",
    "LabelHit",
    "LabelQuality",
    "LabelledPicture",
    "MapRegion",
    "MissingExtraError",
    "ModelError",
    "ModelOptions",
    "ModelUnavailableError",
    "NameTakenError",
    "NarrowerQuery",
    "NearDuplicate",
    "OnThisDay",
    "PartialFile",
    "PictureCluster",
    "PictureDetails",
    "PictureMap",
    "PictureRecord",
    "PictureSummary",
    "QualityComparison",
    "Query",
    "QueryError",
    "QuerySyntaxError",
    "RelevanceQuality",
    "ReliabilityBin",
    "RepresentativePicture",
    "RestoreReport",
    "RetrievalQuality",
    "RunnerError",
    "SavedSearch",
    "SearchHit",
    "SearchPage",
    "SkippedFile",
    "StoreError",
    "Suggestions",
    "TermScore",
    "TextLine",
    "TextReport",
    "UnknownAlbumError",
    "UnknownConceptError",
    "UnknownPictureError",
    "UnusualPicture",
    "VectorIndexError",
    "WrittenFacets",
    "check_catalog",
    "compare_models",
    "draw_heat_map",
    "evaluate_labels",
    "evaluate_pairs",
    "evaluate_relevance",
    "fetch_picture",
    "parse_query",
    "read_caption_pairs",
    "restore_catalog",
    "words_query",
    "write_contact_sheet",
]

# Modules of what is neither an error nor a record of `types`.
_PLACES = {
    "Album": "store.album_rows",
    "BackupReport": "maintenance.reports",
    "CaptionPair": "captions.pairs",
    "CaptionPairs": "captions.pairs",
    "Catalog": "catalog",
    "CatalogFacets": "gallery.details",
    "CheckReport": "maintenance.reports",
    "ComparedProperty": "gallery.duplicates",
    "DEFAULT_CUTOFF": "scoring.relevance",
    "Description": "description",
    "Difference": "evaluation.metrics",
    "DuplicateGroup": "gallery.duplicates",
    "DuplicatePicture": "gallery.duplicates",
    "Estimate": "evaluation.metrics",
    "Event": "gallery.events",
    "EventPage": "gallery.events",
    "ExportReport": "transfer.export",
    "Finding": "maintenance.reports",
    "HeatMap": "gallery.heat_map",
    "ImportReport": "transfer.imports",
    "IndexOptions": "indexing.options",
    "KeywordReport": "gallery.keywords",
    "LabelQuality": "evaluation",
    "NarrowerQuery": "search.narrowing",
    "NearDuplicate": "gallery.duplicates",
    "OnThisDay": "gallery.details",
    "MapRegion": "session.map_file",
    "PictureCluster": "gallery.clusters",
    "PictureDetails": "gallery.details",
    "PictureMap": "session.map_file",
    "PictureRecord": "gallery.summaries",
    "PictureSummary": "gallery.summaries",
    "QualityComparison": "evaluation",
    "Query": "query",
    "RelevanceQuality": "evaluation",
    "ReliabilityBin": "evaluation.calibration",
    "RepresentativePicture": "gallery.curation",
    "RestoreReport": "maintenance.reports",
    "RetrievalQuality": "evaluation",
    "SavedSearch": "store.records",
    "SearchHit": "search.hits",
    "SearchPage": "search.paging",
    "Suggestions": "search.narrowing",
    "TermScore": "search.hits",
    "TextLine": "ocr.lines",
    "UnusualPicture": "gallery.curation",
    "check_catalog": "maintenance.doctor",
    "compare_models": "evaluation",
    "draw_heat_map": "gallery.heat_map",
    "evaluate_labels": "evaluation",
    "evaluate_pairs": "evaluation",
    "evaluate_relevance": "evaluation",
    "fetch_picture": "images.remote.fetch",
    "parse_query": "query",
    "read_caption_pairs": "captions.pairs",
    "restore_catalog": "maintenance.backups",
    "words_query": "query",
    "write_contact_sheet": "gallery.contact_sheet",
    "WrittenFacets": "description",
}


def __getattr__(name: str) -> Any:
    # Loaded on first access: `import clipsearch` alone stays cheap.
    if name not in __all__:
        raise AttributeError(f"module 'clipsearch' has no attribute {name!r}")
    from importlib import import_module

    place = _PLACES.get(name) or ("errors" if name.endswith(("Error", "Notice")) else "types")
    return getattr(import_module(f"clipsearch.{place}"), name)


def __dir__() -> list[str]:
    return sorted(["__version__", *__all__])
