"""Implement clipsearch reindex, and describe the location of an index."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from clipsearch.cli.options import CatalogOption, JsonOption, WaitOption
from clipsearch.cli.render import out, print_json, printable
from clipsearch.quantities import count

if TYPE_CHECKING:
    from clipsearch.session.server_index import IndexPlace


def reindex(catalog: CatalogOption = None, wait: WaitOption = False, json: JsonOption = False) -> None:
    """Rebuild the index from the catalog's embeddings.

    In files or on the server; reads no pictures and does not change results.
    """
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        place = opened.admin.reindex(wait=wait)
    if json:
        print_json(asdict(place))
    else:
        out(f"index rebuilt from {count(place.stored, 'embedding')}: {describe_place(place)}")


def describe_place(place: "IndexPlace") -> str:
    """Describe the location and size of an index."""
    if place.url is None:
        return "files"
    if place.problem is not None:
        return printable(place.problem)
    return f"{printable(place.url)}, {place.index_type or 'not built'}, {place.rows or 0:,} of {place.stored:,} rows"
