"""Implement clipsearch status."""

from dataclasses import asdict
from datetime import UTC
from typing import Any

from clipsearch.cli.options import CatalogOption, JsonOption
from clipsearch.cli.passed_over import describe_passed_over
from clipsearch.cli.reindex import describe_place
from clipsearch.cli.render import describe_parts, out, print_json, printable
from clipsearch.configuration import origin_in_file
from clipsearch.quantities import count, size
from clipsearch.types import CatalogStatus, LastRun


def status(catalog: CatalogOption = None, json: JsonOption = False) -> None:
    """Show the catalog: location, model, content, sizes, runs."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        found, place = opened.admin.status(), opened.admin.index_place()
    if json:
        print_json(_status_json(found) | {"index": asdict(place)})
        return
    origin = None if catalog else origin_in_file("catalog")
    out(f"catalog   {printable(found.directory)}{'' if origin is None else f' ({printable(origin)})'}")
    arithmetic = f", calculated in {found.precision}" if found.precision is not None else ""
    out(f"model     {printable(found.model or 'none yet')}{arithmetic}")
    for model in found.models:
        if not model.is_current:
            out(f"          also {printable(model.name)}, {count(model.images, 'picture')}")
    for number, folder in enumerate(found.folders):
        out(f"{'folders' if number == 0 else '':<10}{printable(folder)}")
        for pattern in found.exclude.get(folder, ()):
            out(f"{'':<10}  without {printable(pattern)}")
    out(
        f"pictures  {count(found.files, 'file')}, {count(found.pictures, 'different picture')}, "
        f"{found.skipped:,} skipped"
    )
    _print_kinds(found)
    passed_over = describe_passed_over({} if found.last_run is None else found.last_run.unsupported)
    if passed_over is not None:
        out(f"not read  {passed_over}")
    out(f"captions  {found.captions:,}")
    if place.url is not None:
        out(f"index     {describe_place(place)}")
    out(f"sizes     database {size(found.database_bytes)}, index {size(found.index_bytes)}")
    if found.ann is not None:
        ann = found.ann
        again = f", {ann['rescored']:,} pictures scored again" if ann.get("rescored") else ""
        out(
            f"search    probes {ann['nprobe']:,} of {ann['nlist']:,} cells{again}: index recall@10 "
            f"{ann['text_recall']:.3f} for words, {ann['picture_recall']:.3f} for pictures"
        )
    if found.current_run is not None:
        out(f"running   {found.current_run}")
    if found.last_run is not None:
        out(f"last run  {describe_run(found.last_run)}")


def describe_run(run: LastRun) -> str:
    """Describe an index run: when it began, and what it has done."""
    when = run.started_at.replace(tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    return (
        f"{when}, {run.seconds:.1f} s: {run.embedded:,} indexed, {run.reused:,} reused, "
        f"{run.unchanged:,} unchanged, {run.removed:,} removed, {run.skipped:,} skipped"
        + ("" if run.finished else " (interrupted)")
    )


def _print_kinds(found: CatalogStatus) -> None:
    if found.formats:
        out(f"formats   {', '.join(f'{number:,} {name}' for name, number in found.formats.items())}")
    if found.parts:
        out(f"parts     {describe_parts(found.parts)}")
    if found.texts[0]:
        out(f"text      in {found.texts[1]:,} of {count(found.texts[0], 'picture')} looked at")


def _status_json(found: CatalogStatus) -> dict[str, Any]:
    described = asdict(found)
    if found.last_run is not None:
        described["last_run"]["started_at"] = found.last_run.started_at.replace(tzinfo=UTC).isoformat()
    if found.current_run is not None:
        for moment in ("started_at", "updated_at"):
            described["current_run"][moment] = getattr(found.current_run, moment).replace(tzinfo=UTC).isoformat()
    return described
