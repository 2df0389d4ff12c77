"""clipsearch gc, backup, restore, doctor"""

from dataclasses import asdict
from typing import Annotated

import typer

from clipsearch.cli.options import CatalogOption, JsonOption, WaitOption
from clipsearch.cli.render import count, out, print_json, size


def gc(
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", min=0, help="Keep what went later than so many days ago.")
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing, only say what would be.")] = False,
    catalog: CatalogOption = None,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Delete for good what is known of files that are gone: until now they would be found again if they came back."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        report = opened.collect_garbage(older_than_days=older_than, dry_run=dry_run, wait=wait)
    if json:
        print_json(asdict(report))
        return
    verb, freed = ("would be deleted, about", "to free") if report.is_dry_run else ("deleted,", "freed")
    index_files = f" and {count(report.index_files, 'index file')}" if report.index_files else ""
    out(
        f"{count(report.pictures, 'picture')} and {count(report.embeddings, 'embedding')} of "
        f"{count(report.files, 'file')} that {'is' if report.files == 1 else 'are'} gone{index_files} {verb} "
        f"{size(report.freed_bytes)} {freed}"
    )
