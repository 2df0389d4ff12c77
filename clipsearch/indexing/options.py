"""Hold the options of an index run in one record."""

from collections.abc import Collection
from dataclasses import dataclass

from clipsearch.images.decode import DecodingLimits


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """Options of an index run, which `Catalog.index` documents one by one.

    Attributes:
        exclude: empty: keep the patterns stored in the catalog.
        detail: also embed crops of each picture, and of those that were indexed without.
        ocr: then look for text in pictures; None: where the catalog has had that done before.
        is_named: the user names the folders; else those that a scan of the indexed ones does not reach are left out.
        unfinished: paths of files that are still being written, and left as they are known.
        limits: None: `Catalog.index` uses the default limits, `index_folders` decodes in this process.
    """

    prune: bool = False
    retry: bool = False
    again: bool = False
    detail: bool = False
    exclude: tuple[str, ...] = ()
    limits: DecodingLimits | None = None
    ann: str | None = None
    runner: str = "local"
    address: str | None = None
    wait: bool = False
    ocr: bool | None = None
    is_named: bool = True
    unfinished: Collection[str] = ()
