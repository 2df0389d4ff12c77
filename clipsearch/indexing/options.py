"""Options of an index run, handed down as one record."""

from dataclasses import dataclass

from clipsearch.images.decode import DecodingLimits


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """What an index run does besides listing its folders; `Catalog.index` says what each option means.

    Attributes:
        exclude: without any, the patterns that the catalog remembers stay.
        limits: None: `Catalog.index` takes the default ones, `index_folders` decodes in this process.
    """

    prune: bool = False
    retry: bool = False
    again: bool = False
    exclude: tuple[str, ...] = ()
    limits: DecodingLimits | None = None
    ann: str | None = None
    runner: str = "local"
    address: str | None = None
    wait: bool = False
