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
        QueryError,
        QuerySyntaxError,
        RunnerError,
        StoreError,
        UnknownPictureError,
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
    from clipsearch.gallery.details import CatalogFacets, PictureDetails
    from clipsearch.gallery.duplicates import DuplicateGroup, DuplicatePicture, NearDuplicate
    from clipsearch.gallery.heat_map import HeatMap
    from clipsearch.gallery.heat_pictures import draw_heat_map
    from clipsearch.images.remote.fetch import fetch_picture
    from clipsearch.maintenance.backups import restore_catalog
    from clipsearch.maintenance.doctor import check_catalog
    from clipsearch.query import Query, parse_query, words_query
    from clipsearch.runs import CurrentRun
    from clipsearch.scoring.relevance import DEFAULT_CUTOFF
    from clipsearch.search.paging import SearchPage
    from clipsearch.transfer.export import ExportReport
    from clipsearch.transfer.imports import ImportReport
    from clipsearch.types import (
        BackupReport,
        CaptionHit,
        CatalogStatus,
        CheckReport,
        FetchedPicture,
        Finding,
        ForgetReport,
        GarbageReport,
        ImageMatch,
        IndexReport,
        LabelHit,
        LabelledPicture,
        PartialFile,
        RestoreReport,
        SearchHit,
        SkippedFile,
        TermScore,
    )

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_CUTOFF",
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
    "CurrentRun",
    "Difference",
    "DuplicateGroup",
    "DuplicatePicture",
    "Estimate",
    "ExportReport",
    "FetchedPicture",
    "Finding",
    "ForgetReport",
    "GarbageReport",
    "HeatMap",
    "ImageMatch",
    "ImageReadError",
    "ImportReport",
    "IndexMismatchError",
    "IndexReport",
    "InputError",
    "LabelHit",
    "LabelQuality",
    "LabelledPicture",
    "MissingExtraError",
    "ModelError",
    "ModelUnavailableError",
    "NearDuplicate",
    "PartialFile",
    "PictureCluster",
    "PictureDetails",
    "QualityComparison",
    "Query",
    "QueryError",
    "QuerySyntaxError",
    "RelevanceQuality",
    "ReliabilityBin",
    "RestoreReport",
    "RetrievalQuality",
    "RunnerError",
    "SearchHit",
    "SearchPage",
    "SkippedFile",
    "StoreError",
    "TermScore",
    "UnknownPictureError",
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

# Where what is neither an error nor a result lies.
_PLACES = {
    "DEFAULT_CUTOFF": "relevance",
    "CaptionPair": "caption_pairs",
    "CaptionPairs": "caption_pairs",
    "Catalog": "catalog",
    "CatalogFacets": "browsing",
    "CurrentRun": "runs",
    "Difference": "evaluation",
    "DuplicateGroup": "duplicates",
    "DuplicatePicture": "duplicates",
    "Estimate": "evaluation",
    "ExportReport": "exporting",
    "HeatMap": "heat_maps",
    "ImportReport": "importing",
    "LabelQuality": "search_quality",
    "NearDuplicate": "duplicates",
    "PictureCluster": "clusters",
    "PictureDetails": "browsing",
    "QualityComparison": "search_quality",
    "Query": "grammar",
    "RelevanceQuality": "search_quality",
    "ReliabilityBin": "calibration",
    "RetrievalQuality": "search_quality",
    "SearchPage": "paging",
    "check_catalog": "maintenance.doctor",
    "compare_models": "search_quality",
    "draw_heat_map": "heat_pictures",
    "evaluate_labels": "search_quality",
    "evaluate_pairs": "search_quality",
    "evaluate_relevance": "search_quality",
    "fetch_picture": "images.remote",
    "parse_query": "grammar",
    "read_caption_pairs": "caption_pairs",
    "restore_catalog": "maintenance.backups",
    "words_query": "grammar",
    "write_contact_sheet": "contact_sheet",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: `import clipsearch` alone stays cheap.
    if name not in __all__:
        raise AttributeError(f"module 'clipsearch' has no attribute {name!r}")
    from importlib import import_module

    place = _PLACES.get(name) or ("errors" if name.endswith(("Error", "Notice")) else "types")
    return getattr(import_module(f"clipsearch.{place}"), name)
