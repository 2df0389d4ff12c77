"""Implement clipsearch map."""

from dataclasses import asdict
from time import perf_counter
from typing import Annotated

import typer

from clipsearch.cli.index import ProgressBar
from clipsearch.cli.options import CatalogOption, JsonOption
from clipsearch.cli.render import out, print_json, printable
from clipsearch.quantities import count

_SHOWN = 4


def map_pictures(
    remake: Annotated[bool, typer.Option("--remake", help="Lay all pictures out again.")] = False,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Lay out all pictures in two dimensions.

    Near ones are alike: the page shows them as a map, and the filter map: finds those in a part of it. Prints the large
    regions, each with some of the smaller ones in it and its filter.
    """
    from clipsearch.catalog import Catalog

    with ProgressBar("step") as bar, Catalog.open(catalog) as opened:
        known, start = opened.pictures.find_map(), perf_counter()
        found = opened.pictures.map(remake=remake, on_progress=bar.update)
        seconds = None if found is known else round(perf_counter() - start, 1)
    if json:
        rows = [asdict(each) | {"query": each.query} for each in found.regions]
        print_json({"pictures": len(found.content_ids), "seconds": seconds, "regions": rows})
        return
    regions = found.regions
    largest = [number for number, each in enumerate(regions) if each.level == 0 and each.pictures]
    made = "the map is up to date" if seconds is None else f"laid out in {seconds:,.1f} s"
    smaller = sum(each.level > 0 and each.pictures > 0 for each in regions)
    pictures = count(len(found.content_ids), "picture")
    out(f"{pictures}, {made}: {count(len(largest), 'region')}, {count(smaller, 'smaller one')}")
    for number in sorted(largest, key=lambda each: -regions[each].pictures):
        inside = sorted((each for each in regions if each.parent == number), key=lambda each: -each.pictures)
        others = [each.name for each in inside if each.name != regions[number].name][:_SHOWN]
        names = printable(", ".join([regions[number].name, *others]))
        out(f"{regions[number].pictures:9,}  {regions[number].query:38}  {names}")
